import { toParleyError } from '@parley/client';
import { cloudOffline, warning } from 'ionicons/icons';
import { wordsFor } from '../words.ts';
import type { OtherWords } from '../words.ts';
import { EmptyState } from './empty-state.tsx';

interface ErrorStateProps {
  /** What could not be done: "Your chats could not be loaded". */
  title: string;
  error: unknown;
  otherWords?: OtherWords;
  onRetry: () => void;
}

export function ErrorState({ title, error, otherWords, onRetry }: ErrorStateProps) {
  const known = toParleyError(error);
  return (
    <EmptyState
      isAlert
      icon={known.code === 'OFFLINE' ? cloudOffline : warning}
      title={title}
      text={wordsFor(known, otherWords)}
      action={{ label: 'Try again', onClick: onRetry }}
    />
  );
}
