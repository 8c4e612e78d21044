import WebSocket from 'ws';
import type { Cluster } from '../../../test/support/cluster.ts';
import { startTcpProxy } from '../../../test/support/tcp-proxy.ts';
import type { TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { eventually } from '../../../test/support/wait.ts';
import {
  ChatHistoryDocument,
  ChatsDocument,
  createParley,
  memoryOutboxStore,
  memoryTokenStore,
} from '../../src/index.ts';
import type { Parley, ParleyOptions, PlatformSignals, TokenStore } from '../../src/index.ts';

/** A phone's WebSocket: what breaks is told by events, and never thrown. What it sends is there to read. */
export class PhoneSocket extends WebSocket {
  static readonly sent: string[] = [];
  /** How many attempts to connect there were. */
  static attempts = 0;

  constructor(...args: ConstructorParameters<typeof WebSocket>) {
    super(...args);
    this.on('error', () => {});
    PhoneSocket.attempts += 1;
  }

  override send(...args: [data: never]): void {
    PhoneSocket.sent.push(String(args[0]));
    super.send(...args);
  }
}

// Apollo's link compares with the browser's own, which Node has from 22 on.
globalThis.WebSocket ??= WebSocket as never;

/** Signals that a test gives. */
export interface TestSignals extends PlatformSignals {
  wake(): void;
  setOnline(isOnline: boolean): void;
}

export function createSignals(): TestSignals {
  const wakes = new Set<() => void>();
  const changes = new Set<(isOnline: boolean) => void>();
  let isOnline = true;
  return {
    isOnline: () => isOnline,
    onWake: (listener) => (wakes.add(listener), () => void wakes.delete(listener)),
    onOnlineChange: (listener) => (changes.add(listener), () => void changes.delete(listener)),
    wake: () => wakes.forEach((listener) => listener()),
    setOnline(next) {
      isOnline = next;
      changes.forEach((listener) => listener(next));
    },
  };
}

/** Times for a machine whose network is a loop, and whose faults come in quick succession. */
export const QUICK = {
  requestMs: 10_000,
  pingEveryMs: 300,
  pongMs: 1_500,
  probeMs: 1_000,
  connectMs: 3_000,
  retryBaseMs: 100,
  retryCapMs: 400,
  readMarkMs: 10,
  farBehind: 100,
  keptMessages: 40,
};

export interface Phone {
  parley: Parley;
  tokenStore: TokenStore;
  signals: TestSignals;
  /** The wire between it and the server. */
  wire: TcpProxy;
}

export type PhoneOptions = Partial<ParleyOptions> & { nodeIndex?: number; wire?: TcpProxy };

/** An app on a phone: a client of its own behind a wire of its own, signed in as somebody. */
export async function openPhone(
  cluster: Cluster,
  who: { email: string; password: string } | null,
  { nodeIndex = 0, ...options }: PhoneOptions = {},
): Promise<Phone> {
  const wire = options.wire ?? (await startTcpProxy({ port: cluster.node(nodeIndex).port }));
  const tokenStore = options.tokenStore ?? memoryTokenStore();
  const signals = createSignals();
  const parley = createParley({
    url: `http://127.0.0.1:${wire.port}/graphql`,
    tokenStore,
    outboxStore: memoryOutboxStore(),
    signals,
    webSocketImpl: PhoneSocket,
    ...options,
    tuning: { ...QUICK, ...options.tuning },
  });
  await parley.start();
  if (who && parley.session.state.get().status !== 'signedIn') {
    const { email, password } = who;
    await parley.session.signIn({ email, password });
  }
  return { parley, tokenStore, signals, wire };
}

export async function closePhone({ parley, wire }: Phone): Promise<void> {
  await parley.stop();
  await wire.close();
}

/** What a chat's screen shows of its history. */
export function shownIn({ parley }: Pick<Phone, 'parley'>, chatId: string) {
  const data = parley.apollo.readQuery({ query: ChatHistoryDocument, variables: { chatId } });
  return data?.chat?.messages;
}

export function bodiesIn(phone: Pick<Phone, 'parley'>, chatId: string): string[] {
  return shownIn(phone, chatId)?.edges.map(({ node }) => node.body) ?? [];
}

export function chatsOf({ parley }: Pick<Phone, 'parley'>) {
  return parley.apollo.readQuery({ query: ChatsDocument })?.chats.edges.map(({ node }) => node) ?? [];
}

/** Until all that is followed is up to date. */
export const untilLive = ({ parley }: Pick<Phone, 'parley'>, deadlineMs = 15_000) =>
  eventually(
    () => {
      if (parley.connection.get() !== 'live') throw new Error(`the connection is ${parley.connection.get()}`);
    },
    { deadlineMs },
  );
