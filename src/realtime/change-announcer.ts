import type { Broker } from './broker.ts';
import type { ChatFeeds, Committed } from './chat-feeds.ts';
import type { ChatHead, FeedMessage, UserHead } from './source.ts';
import { chatTopic, userTopic } from './topics.ts';
import type { UserFeeds } from './user-feeds.ts';

/**
 * How services say what they committed. Always after the commit; nothing waits for it, and nothing depends on it:
 * the sweep finds what was never announced.
 */
export interface ChangeAnnouncer<Message extends FeedMessage> {
  messageWritten(written: Committed<Message>): void;
  chatChanged(head: Pick<ChatHead, 'chatId' | 'revision'>): void;
  usersChanged(heads: readonly UserHead[]): void;
}

/** Tells this node's feeds directly, and the other nodes by hints. */
export function createChangeAnnouncer<Message extends FeedMessage>(
  broker: Broker,
  chatFeeds: ChatFeeds<Message>,
  userFeeds: UserFeeds,
): ChangeAnnouncer<Message> {
  return {
    messageWritten(written) {
      chatFeeds.committed(written);
      broker.publish(chatTopic(written.head.chatId), { revision: written.head.revision });
    },
    chatChanged({ chatId, revision }) {
      chatFeeds.changed(chatId);
      broker.publish(chatTopic(chatId), { revision });
    },
    usersChanged(heads) {
      for (const { userId, revision } of heads) {
        userFeeds.changed(userId);
        broker.publish(userTopic(userId), { revision });
      }
    },
  };
}
