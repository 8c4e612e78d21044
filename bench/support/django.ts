import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { guardProcess } from '../../test/support/watchdog.ts';
import { within } from '../../test/support/wait.ts';
import { LOAD_CPU, SERVER_CPU } from './affinity.ts';
import { BODY, numberBehind } from './dialects.ts';
import type { Dialect } from './dialects.ts';

const run = promisify(execFile);
const PEER = join(import.meta.dirname, '../peers/django-channels');
const PYTHON = '/usr/bin/python3';
const MODULES =
  'daphne, django, channels, channels_redis, rest_framework, rest_framework_simplejwt, djoser, psycopg2, wsaccel';

/** The system of the tutorial, with a PostgreSQL and a Redis of its own. */
export interface DjangoServer {
  readonly pid: number;
  readonly port: number;
  /** Of two people. Whoever is signed in may join it. */
  readonly chatId: string;
  readonly users: ReadonlyArray<{ id: string; access: string }>;
  addChat(): Promise<string>;
  countMessages(): Promise<number>;
  stop(): Promise<void>;
}

export interface DjangoSettings {
  PEER_CONSUMER?: 'async';
  PEER_LAYER?: 'pubsub';
  /** How many chats the first user has, of 20 messages each. */
  PEER_CHATS?: string;
}

/** Why the peer cannot be run here; undefined when it can. */
export async function whyNoDjango(): Promise<string | undefined> {
  const packages = 'its README.md in bench/peers/django-channels names the Debian packages';
  if (!existsSync('/usr/lib/postgresql')) return `Django + Channels, for want of PostgreSQL: ${packages}`;
  try {
    await run(PYTHON, ['-c', `import ${MODULES}`]);
    return undefined;
  } catch {
    return `Django + Channels, for want of Python modules: ${packages}`;
  }
}

export async function startDjango(settings: DjangoSettings): Promise<DjangoServer> {
  const env = { ...process.env, PEER_APP_CPU: SERVER_CPU, PEER_DB_CPU: LOAD_CPU, PEER_USERS: '100', ...settings };
  const child = spawn('bash', [join(PEER, 'run.sh')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.pid === undefined) throw new Error('bash cannot be started');
  // It removes what it made.
  const release = guardProcess(child.pid, 'SIGTERM');
  const exited = once(child, 'exit').then(release);

  async function stop() {
    child.kill('SIGTERM');
    await exited;
  }

  const said = once(createInterface({ input: child.stdout }), 'line');
  const ended = exited.then(() => {
    throw new Error('Django + Channels ended before it was ready');
  });
  ended.catch(() => {});
  const [line] = (await within(Promise.race([said, ended]), 120_000, 'the start of Django + Channels').catch(
    async (error: unknown) => {
      await stop();
      throw error;
    },
  )) as [string];
  const { url, chatId, users, psql, countSql, pids } = JSON.parse(line);
  return {
    pid: pids.app[0],
    port: Number(new URL(url).port),
    chatId,
    users,
    async addChat() {
      const response = await fetch(`${url}/api/chats/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${users[0].access}` },
        body: JSON.stringify({ toUser: users[1].id }),
      });
      if (response.status !== 201) throw new Error(`no chat was made: ${response.status} ${await response.text()}`);
      return ((await response.json()) as { id: string }).id;
    },
    async countMessages() {
      const [program, ...args] = psql;
      return Number((await run(program, [...args, '-c', countSql])).stdout);
    },
    stop,
  };
}

/** A message comes back to everybody who is in the chat, its sender among them: that is the only answer to it. */
export function djangoChat(chatId: string, token: string): Dialect {
  let said = 0;
  return {
    path: `/ws/chat/${chatId}/?token=${token}`,
    reply: () => null,
    readSeq: (text) => numberBehind(text, '"message": "#'),
    send: () => [JSON.stringify({ message: `#${(said += 1)} ${BODY}` })],
  };
}
