import type { Row } from './rows.ts';

const LOOKS: Record<Row['state'], { label: string; path: string }> = {
  waiting: { label: 'Waiting', path: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3' },
  sent: { label: 'Sent', path: 'M3.5 8.5l3 3 6.5-7' },
  read: { label: 'Read', path: 'M.8 8.5l3 3 6.5-7M7.6 10.6l.9.9 6.5-7' },
  failed: { label: 'Not sent', path: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 5v3.6M8 10.7v.4' },
};

/** How far one's own message has come. Drawn here, not by ion-icon: a fast scroll makes hundreds of them. */
export function Tick({ state }: { state: Row['state'] }) {
  const { label, path } = LOOKS[state];
  return (
    <svg className={`tick tick-${state}`} viewBox="0 0 16 16" role="img" aria-label={label}>
      <path d={path} />
    </svg>
  );
}
