import { toParleyError } from '@parley/client';
import type { ParleyError } from '@parley/client';
import { useState } from 'react';
import type { SyntheticEvent } from 'react';
import { wordsFor, wordsForField } from '../words.ts';
import type { OtherWords } from '../words.ts';

/** A form that is busy while it acts and keeps what was refused. */
export function useSubmit(act: () => Promise<void>, otherWords?: OtherWords) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<ParleyError | null>(null);

  async function submit(): Promise<void> {
    if (isBusy) return;
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (cause) {
      setError(toParleyError(cause));
    } finally {
      setBusy(false);
    }
  }

  return {
    isBusy,
    submit,
    onSubmit: (event: SyntheticEvent) => {
      event.preventDefault();
      void submit();
    },
    clear: () => setError(null),
    /** What to show beside a field. */
    errorOf: (field: string) => wordsForField(error, field),
    /** What belongs to none of these fields. */
    errorBeside: (...fields: string[]) =>
      error === null || fields.some((field) => wordsForField(error, field) !== undefined)
        ? undefined
        : wordsFor(error, otherWords),
  };
}
