import { useState } from 'react';
import { fullName } from '../../format/people.ts';
import type { Row } from './rows.ts';

/** Reads out what others write while the chat is open. Rows that come and go with scrolling say nothing. */
export function NewMessageAnnouncer({ rows }: { rows: readonly Row[] }) {
  const last = rows.at(-1);
  const [said, setSaid] = useState({ seq: last?.seq ?? 0, text: '' });
  if (last?.seq != null && last.seq > said.seq)
    setSaid({ seq: last.seq, text: last.isOwn ? said.text : `${fullName(last.author)}: ${last.body}` });
  return (
    <div role="log" aria-live="polite" aria-label="New messages" className="visually-hidden">
      {said.text}
    </div>
  );
}
