import { openSpeaker } from '../support/audience.ts';
import { BODY } from '../support/dialects.ts';
import { djangoChat, startDjango, whyNoDjango } from '../support/django.ts';
import type { DjangoSettings } from '../support/django.ts';
import { fanOutTitle, measureFanOut } from '../support/fan-out.ts';
import type { Comparison, Report } from '../support/report.ts';
import { LostMessageError, measureInTurn } from '../support/samples.ts';
import type { Contestant } from '../support/samples.ts';
import { withServer } from '../support/server.ts';
import type { Stage } from '../support/stage.ts';
import { parleyFanningOut } from './fan-out.ts';
import { CHATS, isListOf20, LIST, measurePages, parleyListing, READERS } from './reads.ts';
import type { Scenario } from './scenario.ts';
import { MANY, measureSends, parleyOverHttp, SENDERS } from './sends.ts';

const STOCK = 'Django + Channels';
const STRONGEST = 'Django + Channels, asynchronous';
const VARIANTS: Array<[name: string, variant: DjangoSettings]> = [
  [STOCK, {}],
  [STRONGEST, { PEER_CONSUMER: 'async', PEER_LAYER: 'pubsub' }],
];

export const django: Scenario = {
  name: 'django',
  title: 'Beside Django + Channels',
  async run(stage): Promise<Report> {
    const listeners = stage.size.isQuick ? 100 : 1_000;
    const missing = await whyNoDjango();
    const contestants = [
      parleyFanningOut(stage, listeners),
      parleyOverHttp(stage, 'Parley'),
      parleyListing(stage),
      listing(stage),
      ...VARIANTS.flatMap(([name, variant]) => [
        fanningOut(stage, name, variant, listeners),
        sending(stage, name, variant),
      ]),
    ];
    const title = fanOutTitle(listeners, 1);
    const compare = (to: string, fanOutAtLeast: number, sendsAtLeast: number): Comparison[] => [
      { case: title, figure: 'deliveries/s', of: 'Parley', to, atLeast: fanOutAtLeast },
      { case: title, figure: 'CPU µs/delivery', of: 'Parley', to, lessIsBetter: true },
      { case: MANY, figure: 'sends/s', of: 'Parley', to, atLeast: sendsAtLeast },
      { case: MANY, figure: 'p99 ms', of: 'Parley', to, lessIsBetter: true, atLeast: 4 },
    ];
    return {
      about:
        'The chat that a tutorial builds with Django and Channels, in `peers/django-channels`: as the tutorial has it, ' +
        'and with asynchronous consumers and the lighter Redis layer. In both, as in Parley, a message is kept before it ' +
        'is delivered. Its senders send over a WebSocket, each in a chat of their own, since a socket there is for one chat. ' +
        'Its list of chats has the same fields, of chats of two.',
      samples: missing === undefined ? await measureInTurn(contestants, stage) : new Map(),
      comparisons: [
        ...compare(STOCK, 20, 12),
        ...compare(STRONGEST, 8, 6),
        { case: LIST, figure: 'pages/s', of: 'Parley', to: STOCK, atLeast: 15 },
        { case: LIST, figure: 'CPU µs/page', of: 'Parley', to: STOCK, lessIsBetter: true },
      ],
      skipped: missing === undefined ? [] : [missing],
    };
  },
};

function fanningOut(stage: Stage, name: string, variant: DjangoSettings, listeners: number): Contestant {
  return {
    name,
    async measure() {
      const server = await startDjango(variant);
      const { chatId, users } = server;
      const dialectOf = (index: number) => djangoChat(chatId, users[index % users.length]!.access);
      let said = 0;
      let kept = 0;
      const stop = async () => {
        kept = await server.countMessages();
        await server.stop();
      };
      const cases = await measureFanOut(
        stage,
        { pid: server.pid, port: server.port, stop },
        {
          listeners: Array.from({ length: listeners }, (_, index) => dialectOf(index)),
          speaker: dialectOf(0),
          // Only one connection's messages have an order.
          connections: 1,
          onSaid: () => (said += 1),
        },
      );
      checkKept(said, kept);
      return cases;
    },
  };
}

function sending(stage: Stage, name: string, variant: DjangoSettings): Contestant {
  return {
    name,
    async measure() {
      const figures = await withServer(startDjango(variant), async (server) => {
        const speakers = await Promise.all(
          Array.from({ length: SENDERS }, async (_, index) => {
            const { access } = server.users[index % server.users.length]!;
            return openSpeaker(server.port, { ...djangoChat(await server.addChat(), access), isAnswer: () => true });
          }),
        );
        const measured = await measureSends(stage, server, MANY, (sender) => speakers[sender]!.say(BODY));
        for (const speaker of speakers) speaker.close();
        checkKept(measured.acknowledged, await server.countMessages());
        return measured.figures;
      });
      return { [MANY]: figures };
    },
  };
}

function listing(stage: Stage): Contestant {
  return {
    name: STOCK,
    measure: () =>
      withServer(startDjango({ PEER_CHATS: String(CHATS) }), async (server) => {
        const headers = { authorization: `Bearer ${server.users[0]!.access}` };
        const target = { port: server.port, path: '/api/chats/', method: 'GET', headers };
        const requests = { title: LIST, target, clients: READERS, body: '', isRight: isListOf20 };
        return { [LIST]: await measurePages(stage, server, requests) };
      }),
  };
}

function checkKept(said: number, kept: number): void {
  if (said !== kept) throw new LostMessageError(`${said} messages were said, and ${kept} are kept`);
}
