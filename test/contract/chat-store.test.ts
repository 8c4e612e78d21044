import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createChatStore } from '../../src/features/chats/chat-store.ts';
import { startInMemory } from '../../src/persistence/embedded.ts';
import type { EmbeddedEngine } from '../../src/persistence/embedded.ts';
import { applyMigrations } from '../../src/persistence/migrations.ts';
import { createQuery } from '../../src/persistence/query.ts';

let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await startInMemory();
  await applyMigrations(engine.adapter);
}, 60_000);
afterAll(() => engine?.close());

it('finds chats for their members alone, whoever else is asked for with them', async () => {
  const [ann, bob, both, annsOwn] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
  await engine.pglite.exec(`
    INSERT INTO app_user (id, email, password_hash, first_name, last_name)
      VALUES ('${ann}', 'ann', '', 'Ann', 'Lee'), ('${bob}', 'bob', '', 'Bob', 'Ray');
    INSERT INTO chat (id, kind) VALUES ('${both}', 'GROUP'), ('${annsOwn}', 'GROUP');
    INSERT INTO chat_member (chat_id, user_id) VALUES ('${both}', '${ann}'), ('${both}', '${bob}'), ('${annsOwn}', '${ann}');
  `);
  const store = createChatStore(createQuery(engine.adapter));
  const find = async (...pairs: Array<[chatId: string, userId: string]>) => {
    const found = await store.findByMemberships(pairs.map(([chatId, userId]) => ({ chatId, userId })));
    return found.map(({ id, memberId }) => [id, memberId]);
  };
  expect(await find([both, ann], [annsOwn, bob], [uuidv7(), ann])).toEqual([[both, ann]]);
  expect(await find([annsOwn, bob])).toEqual([]);
});
