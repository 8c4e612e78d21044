import { IonBadge, IonItem, IonItemOption, IonItemOptions, IonItemSliding, IonLabel } from '@ionic/react';
import type { ChatFields } from '@parley/client';
import { ChatAvatar } from '../../components/avatar.tsx';
import { previewOf, titleOf } from '../../format/chats.ts';
import { listTime } from '../../format/times.ts';
import { useNow } from '../../hooks/use-now.ts';
import { useViewerId } from '../../hooks/use-viewer.ts';
import { parley } from '../../parley.ts';
import { routes } from '../../routes.ts';

export function ChatRows({ chats }: { chats: readonly ChatFields[] }) {
  const viewerId = useViewerId();
  const now = useNow();
  return chats.map((chat) => <ChatRow key={chat.id} chat={chat} viewerId={viewerId} now={now} />);
}

function ChatRow({ chat, viewerId, now }: { chat: ChatFields; viewerId: string; now: number }) {
  const isUnread = chat.unreadCount > 0;
  return (
    <IonItemSliding>
      <IonItem
        button
        detail={false}
        routerLink={routes.chat(chat.id)}
        className={isUnread ? 'chat-row chat-row-unread' : 'chat-row'}
      >
        <ChatAvatar slot="start" chat={chat} viewerId={viewerId} />
        <IonLabel>
          <div className="chat-row-line">
            <h2>
              <bdi>{titleOf(chat, viewerId)}</bdi>
            </h2>
            <time dateTime={chat.updatedAt}>{listTime(chat.lastMessage?.createdAt ?? chat.updatedAt, now)}</time>
          </div>
          <div className="chat-row-line">
            <Preview chat={chat} viewerId={viewerId} />
            {isUnread && (
              <IonBadge role="img" aria-label={`${chat.unreadCount} unread`}>
                {chat.unreadCount > 99 ? '99+' : chat.unreadCount}
              </IonBadge>
            )}
          </div>
        </IonLabel>
      </IonItem>
      <IonItemOptions side="end">
        <IonItemOption
          disabled={!isUnread}
          onClick={(event) => {
            if (chat.lastMessage) parley.markRead(chat.id, chat.lastMessage.seq);
            void event.currentTarget.closest('ion-item-sliding')?.close();
          }}
        >
          Mark read
        </IonItemOption>
      </IonItemOptions>
    </IonItemSliding>
  );
}

function Preview({ chat, viewerId }: { chat: ChatFields; viewerId: string }) {
  const preview = previewOf(chat, viewerId);
  if (preview === null) return <p>No messages yet</p>;
  return (
    <p>
      {preview.who !== '' && <span>{preview.who}: </span>}
      <bdi>{preview.what}</bdi>
    </p>
  );
}
