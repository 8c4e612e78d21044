import { v7 as uuidv7 } from 'uuid';
import { createPasswords } from '../src/auth/passwords.ts';
import type { Viewer } from '../src/auth/viewer.ts';
import { ConfigError } from '../src/config.ts';
import type { Config } from '../src/config.ts';
import type { ChatRow } from '../src/features/chats/chat-store.ts';
import type { MessageRow } from '../src/features/messages/message-store.ts';
import { createServices } from '../src/features/services.ts';
import type { Services } from '../src/features/services.ts';
import type { UserRow } from '../src/features/users/user-store.ts';
import type { PrismaClient } from '../src/generated/prisma/client.ts';
import type { Logger } from '../src/logger.ts';
import { openDatabase } from '../src/persistence/open-database.ts';
import { UNLIMITED } from '../src/rate-limits/rate-limits.ts';
import { createMemoryBroker } from '../src/realtime/memory-broker.ts';
import { CHATS, PEOPLE } from './seed-story.ts';
import type { SeedChat, SeedPerson, SeedScene } from './seed-story.ts';

/*
 * Fills the configured database for development. Everything is done through the services, as clients would do it, so
 * that numbers, counters and read marks are right; at the end it is dated back, in one transaction. Each step looks for
 * what it would make, so a seed that was cut short is finished by the next.
 */

/** For development, where it may be read. */
export const PASSWORD = 'lantern-harbour-27';
const MINUTE = 60_000;
const DAY = 86_400_000;

export const emailOf = ({ key }: Pick<SeedPerson, 'key'>) => `${key}@parley.example`;

interface Line {
  author: string;
  body: string;
  editedTo?: string;
  isDeleted: boolean;
  type: 'TEXT' | 'PHOTO' | 'LOCATION';
  extraData: unknown;
  at: Date;
}

/** What was made, and when it is to have happened. */
interface Dated {
  chats: Array<{ id: string; from: Date; to: Date }>;
  messages: Array<{ id: string; at: Date }>;
}

type Cast = ReadonlyMap<string, UserRow>;

/** What was added; null: it was all there. */
export async function fillDatabase(
  config: Config,
  logger: Logger,
): Promise<{ chats: number; messages: number } | null> {
  if (config.production) throw new ConfigError('npm run seed is for development, and NODE_ENV is production');
  const database = await openDatabase({ url: config.databaseUrl, dataDir: config.dataDir, logger });
  const broker = createMemoryBroker(logger);
  try {
    const { prisma, query } = database;
    const services = createServices({
      config,
      prisma,
      query,
      broker,
      rateLimits: UNLIMITED,
      nodeId: uuidv7(),
      logger,
    });
    const first = await services.users.findByEmail(emailOf(PEOPLE[0]!));
    if (first && isDatedBack(first)) return null;
    const { chats, messages } = await fill(services, prisma);
    return { chats: chats.length, messages: messages.length };
  } finally {
    await broker.close();
    await database.close();
  }
}

async function fill(services: Services, prisma: PrismaClient): Promise<Dated> {
  const dated: Dated = { chats: [], messages: [] };
  const cast = await findOrCreatePeople(services);
  const now = Date.now();
  // One after the other: the embedded database has one connection, and transactions do not wait for long.
  for (const story of CHATS) await tell(services, cast, story, now, dated);
  await dateBack(prisma, cast, dated, now);
  return dated;
}

/** An id holds the time at which its row was written; the seed alone dates an account before that, as its last step. */
function isDatedBack(user: UserRow): boolean {
  const writtenAt = Number.parseInt(user.id.replaceAll('-', '').slice(0, 12), 16);
  return user.createdAt.getTime() < writtenAt - DAY;
}

async function findOrCreatePeople({ users }: Services): Promise<Cast> {
  const passwordHash = await createPasswords().hash(PASSWORD);
  const cast = new Map<string, UserRow>();
  for (const person of PEOPLE) {
    const { key, firstName, lastName } = person;
    const email = emailOf(person);
    const known = await users.findByEmail(email);
    cast.set(key, known ?? (await users.create({ email, passwordHash, firstName, lastName })));
  }
  return cast;
}

async function tell(services: Services, cast: Cast, story: SeedChat, now: number, dated: Dated): Promise<void> {
  const chat = await findOrCreateChat(services, cast, story);
  const lines = story.scenes.flatMap((scene) => readScene(scene, now));
  for (const [index, line] of lines.entries()) {
    const message = await enact(services.messages, viewerOf(cast, line.author), chat, line, `seed-${index + 1}`);
    dated.messages.push({ id: message.id, at: line.at });
  }
  for (const member of story.members) {
    const readUpTo = lines.length - (story.unread?.[member] ?? 0);
    await services.messages.markRead(viewerOf(cast, member), chat.id, readUpTo);
  }
  dated.chats.push({ id: chat.id, from: new Date(lines[0]!.at.getTime() - 5 * MINUTE), to: lines.at(-1)!.at });
}

async function findOrCreateChat({ chats }: Services, cast: Cast, story: SeedChat): Promise<ChatRow> {
  const [owner, ...others] = story.members.map((key) => viewerOf(cast, key));
  const memberIds = others.map(({ userId }) => userId);
  if (story.title === undefined) return chats.create(owner!, { memberIds });
  const page = await chats.list(owner!, { limit: 100, direction: 'forward', after: null, before: null });
  const chat =
    page.items.find(({ title }) => title === story.title) ??
    (await chats.create(owner!, { memberIds, kind: 'GROUP', title: story.title }));
  for (const admin of story.admins ?? [])
    await chats.changeRole(owner!, chat.id, viewerOf(cast, admin).userId, 'ADMIN');
  return chat;
}

async function enact(
  messages: Services['messages'],
  viewer: Viewer,
  chat: ChatRow,
  line: Line,
  clientId: string,
): Promise<MessageRow> {
  const { body, type, extraData } = line;
  const message = await messages.send(viewer, { chatId: chat.id, body, type, extraData, clientId });
  if (line.isDeleted) await messages.delete(viewer, message.id);
  if (line.editedTo !== undefined && message.editedAt === null)
    await messages.edit(viewer, { messageId: message.id, body: line.editedTo });
  return message;
}

/** One transaction: what shows that the seed is complete comes with it, or not at all. */
async function dateBack(prisma: PrismaClient, cast: Cast, { chats, messages }: Dated, now: number): Promise<void> {
  const ids = (rows: ReadonlyArray<{ id: string }>) => rows.map(({ id }) => id);
  const dates = (all: Date[]) => all.map((date) => date.toISOString());
  const people = [...cast.values()];
  await prisma.$transaction([
    prisma.$executeRaw`
      UPDATE message m SET created_at = v.at,
        edited_at = CASE WHEN m.edited_at IS NOT NULL THEN v.at + interval '90 seconds' END,
        deleted_at = CASE WHEN m.deleted_at IS NOT NULL THEN v.at + interval '15 seconds' END
      FROM unnest(${ids(messages)}::uuid[], ${dates(messages.map(({ at }) => at))}::timestamptz[]) AS v(id, at)
      WHERE m.id = v.id`,
    prisma.$executeRaw`
      UPDATE chat c SET created_at = v.since, updated_at = v.latest
      FROM unnest(${ids(chats)}::uuid[], ${dates(chats.map(({ from }) => from))}::timestamptz[],
        ${dates(chats.map(({ to }) => to))}::timestamptz[]) AS v(id, since, latest)
      WHERE c.id = v.id`,
    prisma.$executeRaw`
      UPDATE chat_member m SET joined_at = c.created_at FROM chat c
      WHERE c.id = m.chat_id AND c.id = ANY(${ids(chats)}::uuid[])`,
    prisma.$executeRaw`
      UPDATE app_user u SET created_at = v.since, last_seen_at = v.seen
      FROM unnest(${ids(people)}::uuid[],
        ${dates(people.map((_, i) => new Date(now - 60 * DAY + i * 7 * MINUTE)))}::timestamptz[],
        ${dates(people.map((_, i) => new Date(now - 3 * (i + 1) ** 2 * MINUTE)))}::timestamptz[]) AS v(id, since, seen)
      WHERE u.id = v.id`,
  ]);
}

/** The lines with their times: each some seconds after the one before it, as people type. */
function readScene(scene: SeedScene, now: number): Line[] {
  const lines = scene.lines
    .split('\n')
    .filter((text) => text !== '')
    .map(readLine);
  const offsets: number[] = [];
  for (const [index, { body }] of lines.entries())
    offsets.push((offsets.at(-1) ?? 0) + 1000 * (15 + ((index * 37) % 80)) + 400 * body.length);
  const start = scene.at === undefined ? now - 6 * MINUTE - offsets.at(-1)! : timeOf(scene.daysAgo, scene.at, now);
  return lines.map((line, index) => ({ ...line, at: new Date(start + offsets[index]!) }));
}

function timeOf(daysAgo: number, at: string, now: number): number {
  const [hours, minutes] = at.split(':').map(Number) as [number, number];
  return now - (now % DAY) - daysAgo * DAY + (hours * 60 + minutes) * MINUTE;
}

function readLine(text: string): Omit<Line, 'at'> {
  const parts = /^(\w+): (.*?)(?: ~~ (.*?))?(?: \[(deleted|photo|place)(?: ([^\]]+))?\])?$/.exec(text);
  if (!parts) throw new Error(`the story has a line that cannot be read: ${text}`);
  const [, author, body, editedTo, mark, details = ''] = parts;
  return {
    author: author!,
    body: body!,
    isDeleted: mark === 'deleted',
    ...(editedTo !== undefined && { editedTo }),
    ...attachmentOf(mark, details),
  };
}

function attachmentOf(mark: string | undefined, details: string): Pick<Line, 'type' | 'extraData'> {
  if (mark === 'place') {
    const [latitude, longitude] = details.split(' ').map(Number);
    return { type: 'LOCATION', extraData: { latitude, longitude } };
  }
  if (mark !== 'photo') return { type: 'TEXT', extraData: null };
  const [, name, width, height] = /^(\S+) (\d+)x(\d+)$/.exec(details)!;
  const url = `https://photos.example/${name}`;
  return { type: 'PHOTO', extraData: { url, width: Number(width), height: Number(height) } };
}

/** The services ask for nothing but who it is. */
function viewerOf(cast: Cast, key: string): Viewer {
  const user = cast.get(key);
  if (!user) throw new Error(`the story has nobody called ${key}`);
  return { userId: user.id, sessionId: '', expiresAt: Number.POSITIVE_INFINITY };
}
