/** Something in the chat changed; the hint carries the chat's revision. */
export const chatTopic = (chatId: string): string => `chat:${chatId}`;

/** Something changed for this person alone; the hint carries the person's revision. */
export const userTopic = (userId: string): string => `user:${userId}`;
