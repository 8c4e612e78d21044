import { skipToken, useQuery } from '@apollo/client/react';
import { SearchUsersDocument } from '@parley/client';
import type { UserFields } from '@parley/client';
import { useMemo } from 'react';
import { fullName } from '../format/people.ts';
import { useChats } from './use-chats.ts';
import { useViewerId } from './use-viewer.ts';

/** People found by name or whole e-mail; without a search, those whom one shares a chat with. Undefined: on its way. */
export function usePeople(search: string) {
  const term = search.trim();
  const known = useKnownPeople();
  const { data, error, refetch, previousData } = useQuery(
    SearchUsersDocument,
    term === '' ? skipToken : { variables: { search: term } },
  );
  // While the next letters are looked up, the last answer stays: a list that blinks cannot be read.
  const found = (data ?? previousData)?.users.edges.map((edge): UserFields => edge.node);
  return { people: term === '' ? known : found, error: term === '' ? undefined : error, refetch };
}

function useKnownPeople(): UserFields[] {
  const viewerId = useViewerId();
  const { chats } = useChats();
  return useMemo(() => {
    const people = new Map<string, UserFields>();
    for (const chat of chats ?? []) for (const { user } of chat.members) people.set(user.id, user);
    people.delete(viewerId);
    return [...people.values()].toSorted((a, b) => fullName(a).localeCompare(fullName(b)));
  }, [chats, viewerId]);
}
