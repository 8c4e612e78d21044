import { useApolloClient } from '@apollo/client/react';
import type { TypedDocumentNode } from '@apollo/client';
import { useEffect } from 'react';
import { parley } from '../parley.ts';

const EVERY_MS = 25_000;

/**
 * Nothing pushes who comes online, so while a screen is on top and the window is visible, what it shows of people is
 * asked again now and then. The answer reaches the screen through the cache.
 */
export function usePresence<V extends Record<string, unknown>>(
  document: TypedDocumentNode<unknown, V>,
  variables: V,
  isShown: boolean,
): void {
  const apollo = useApolloClient();
  const key = JSON.stringify(variables);
  useEffect(() => {
    if (!isShown) return;
    const timer = setInterval(() => {
      if (window.document.visibilityState !== 'visible' || parley.connection.get() !== 'live') return;
      // A miss is made good by the next one.
      apollo.query({ query: document, variables: JSON.parse(key) as V, fetchPolicy: 'network-only' }).catch(() => {});
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [apollo, document, key, isShown]);
}
