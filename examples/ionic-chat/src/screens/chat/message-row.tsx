import { memo } from 'react';
import { PersonAvatar } from '../../components/avatar.tsx';
import { colourOf, fullName } from '../../format/people.ts';
import { dayName, timeOfDay } from '../../format/times.ts';
import { BubbleContent } from './bubble-content.tsx';
import { FailedActions } from './failed-actions.tsx';
import type { Row } from './rows.ts';
import { Tick } from './tick.tsx';
import { useLongPress } from './use-long-press.ts';

interface MessageRowProps {
  row: Row;
  index: number;
  now: number;
  isGroup: boolean;
  isLast: boolean;
  isTabStop: boolean;
  onActions: (row: Row) => void;
}

export const MessageRow = memo(function MessageRow({
  row,
  index,
  now,
  isGroup,
  isLast,
  isTabStop,
  onActions,
}: MessageRowProps) {
  const openActions = () => onActions(row);
  const press = useLongPress(openActions);
  const showsAuthor = isGroup && !row.isOwn;
  return (
    <div className={classesOf(row, isLast)}>
      {row.startsDay && <p className="day-separator">{dayName(row.at, now)}</p>}
      {row.startsUnread && <p className="unread-separator">New messages</p>}
      <article
        aria-label={labelOf(row)}
        tabIndex={isTabStop ? 0 : -1}
        data-index={index}
        data-key={row.key}
        className={row.isOwn ? 'message message-own' : 'message'}
        {...press}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && event.target === event.currentTarget) openActions();
        }}
      >
        {showsAuthor && (
          <div className="message-avatar">{row.startsRun && <PersonAvatar size="small" user={row.author} />}</div>
        )}
        <div className="bubble">
          {showsAuthor && row.startsRun && (
            <p className={`bubble-author name-${row.author ? colourOf(row.author.id) : 'none'}`} dir="auto">
              {fullName(row.author)}
            </p>
          )}
          <BubbleContent row={row} />
          <span className="bubble-meta">
            {row.isEdited && 'Edited · '}
            <time dateTime={row.at}>{timeOfDay(row.at)}</time>
            {row.isOwn && !row.isDeleted && <Tick state={row.state} />}
          </span>
        </div>
        <button type="button" className="message-menu" tabIndex={-1} aria-label="Message actions" onClick={openActions}>
          ⋯
        </button>
      </article>
      {row.state === 'failed' && <FailedActions row={row} />}
    </div>
  );
}, isSame);

/** Rows are made anew with each change of the chat; a row whose message and place are the same looks the same. */
function isSame(a: MessageRowProps, b: MessageRowProps): boolean {
  return (
    a.row.message === b.row.message &&
    a.row.entry === b.row.entry &&
    a.row.startsDay === b.row.startsDay &&
    a.row.startsRun === b.row.startsRun &&
    a.row.startsUnread === b.row.startsUnread &&
    a.index === b.index &&
    a.isLast === b.isLast &&
    a.isTabStop === b.isTabStop &&
    a.isGroup === b.isGroup &&
    a.onActions === b.onActions &&
    (a.now === b.now || !b.row.startsDay)
  );
}

function labelOf({ isOwn, author, at, body, isDeleted }: Row): string {
  const who = isOwn ? 'You' : fullName(author);
  return `${who}, ${timeOfDay(at)}: ${isDeleted ? 'deleted message' : body}`;
}

function classesOf(row: Row, isLast: boolean): string {
  return `message-row ${row.startsRun ? 'message-row-starts-run' : ''} ${isLast ? 'message-row-last' : ''}`;
}
