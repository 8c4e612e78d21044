import { useQuery } from '@apollo/client/react';
import { ViewerDocument } from '@parley/client';
import { parley } from '../parley.ts';
import { useReadable } from './use-readable.ts';

/** Whose app this is. Known without a network; screens of signed-out people do not ask. */
export function useViewerId(): string {
  const session = useReadable(parley.session.state);
  return session.status === 'signedIn' ? session.userId : '';
}

export function useViewer() {
  const { data, error, refetch } = useQuery(ViewerDocument);
  return { viewer: data?.me, error, refetch };
}
