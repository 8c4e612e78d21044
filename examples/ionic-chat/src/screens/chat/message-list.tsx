import type { ChatFields } from '@parley/client';
import { Virtualizer } from 'virtua';
import { ownMembership } from '../../format/chats.ts';
import { useNow } from '../../hooks/use-now.ts';
import { useWindowActive } from '../../hooks/use-page-active.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { parley } from '../../parley.ts';
import { EmptyChat, HistoryStart, START_HEIGHT } from './history-start.tsx';
import { JumpToNewest } from './jump-to-newest.tsx';
import { MessageRow } from './message-row.tsx';
import { NewMessageAnnouncer } from './new-message-announcer.tsx';
import type { Row } from './rows.ts';
import { useFeedKeys } from './use-feed-keys.ts';
import { useMessageActions } from './use-message-actions.ts';
import { useMessageScroll } from './use-message-scroll.ts';
import { useOlderMessages } from './use-older-messages.ts';

interface MessageListProps {
  chat: ChatFields;
  rows: readonly Row[];
  hasOlder: boolean;
  isOnTop: boolean;
  onEdit: (row: Row) => void;
}

/**
 * Only the rows near the window are in the document. The list scrolls by itself, not in Ionic's content, because it has
 * to keep its place while older messages come in above, and its end while new ones come in below.
 */
export function MessageList({ chat, rows, hasOlder, isOnTop, onEdit }: MessageListProps) {
  const viewerId = useViewerId();
  const now = useNow();
  const isLooking = useWindowActive() && isOnTop;
  const older = useOlderMessages(chat.id, rows, hasOlder);
  const { scroller, list, ...scroll } = useMessageScroll({
    rows,
    isLooking,
    onNearStart: older.load,
    onSeen: (seq) => parley.markRead(chat.id, seq),
  });
  const keys = useFeedKeys(rows, list);
  const role = ownMembership(chat, viewerId)?.role ?? 'MEMBER';
  const openActions = useMessageActions({ mayDeleteAny: role !== 'MEMBER', onEdit });
  const isGroup = chat.kind === 'GROUP';

  if (rows.length === 0) return <EmptyChat />;
  return (
    <>
      <div className="message-scroller ion-content-scroll-host" ref={scroller}>
        <div className="message-spacer" />
        <HistoryStart
          hasOlder={hasOlder}
          isLoading={older.isLoading}
          hasFailed={older.hasFailed}
          onRetry={older.load}
        />
        {/* A feed: its articles come and go with scrolling, and the arrow keys walk them. */}
        <div
          role="feed"
          aria-label="Messages"
          aria-busy={older.isLoading}
          onKeyDown={keys.onKeyDown}
          onFocus={keys.onFocus}
        >
          <Virtualizer
            ref={list}
            scrollRef={scroller}
            startMargin={START_HEIGHT}
            data={rows}
            shift={older.isPrepending}
            bufferSize={400}
            keepMounted={[keys.tabStop]}
            onScroll={scroll.onScroll}
            onResize={scroll.onResize}
          >
            {(row, index) => (
              <MessageRow
                key={row.key}
                row={row}
                index={index}
                now={now}
                isGroup={isGroup}
                isLast={index === rows.length - 1}
                isTabStop={index === keys.tabStop}
                onActions={openActions}
              />
            )}
          </Virtualizer>
        </div>
      </div>
      {!scroll.isAtEnd && <JumpToNewest newCount={scroll.newCount} onJump={scroll.jumpToEnd} />}
      <NewMessageAnnouncer rows={rows} />
    </>
  );
}
