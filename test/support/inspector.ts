import { once } from 'node:events';
import WebSocket from 'ws';
import type { ServerProcess } from './server-process.ts';
import { within } from './wait.ts';

/** For a server that is to be looked into: its settings, and what Node says about them on standard error. */
export const INSPECTABLE = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };
export const INSPECTOR_LINES = /^(Debugger (listening|attached|ending)|For help, see: )/;

const SAMPLING_INTERVAL_US = 500;

/** A way into a running process that needs nothing of the program: the Chrome DevTools protocol. */
export interface Inspector {
  collectGarbage(): Promise<void>;
  /** The value of a JavaScript expression there, by way of JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** How many objects there are with the prototype that the expression names. Collects garbage first. */
  countInstances(prototype: string): Promise<number>;
  /** Where processor time goes, from here until the function that this answers is called. */
  startProfile(): Promise<() => Promise<CpuProfile>>;
  detach(): Promise<void>;
}

/** Which node of the call tree was at work at each sample, and for how many microseconds. */
export interface CpuProfile {
  nodes: CpuProfileNode[];
  samples: number[];
  timeDeltas: number[];
}

export interface CpuProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number; columnNumber: number };
  children?: number[];
}

/** @param server was started with INSPECTABLE. */
export async function inspect(server: Pick<ServerProcess, 'pid' | 'logs'>): Promise<Inspector> {
  const url = /Debugger listening on (ws:\S+)/.exec(server.logs.join('\n'))?.[1];
  if (url === undefined) throw new Error(`server ${server.pid} cannot be inspected`);
  const socket = new WebSocket(url);
  await once(socket, 'open');
  let lastId = 0;

  async function call(method: string, params: object = {}): Promise<any> {
    const id = ++lastId;
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await within(answerTo(id), 30_000, method);
    if (error !== undefined || result.exceptionDetails !== undefined)
      throw new Error(`${method}: ${JSON.stringify(error ?? result.exceptionDetails)}`);
    return result;
  }

  async function answerTo(id: number): Promise<any> {
    for (;;) {
      const [data] = (await once(socket, 'message')) as [Buffer];
      const message = JSON.parse(data.toString());
      if (message.id === id) return message;
    }
  }

  return {
    collectGarbage: () => call('HeapProfiler.collectGarbage'),
    async evaluate<T>(expression: string) {
      const { result } = await call('Runtime.evaluate', { expression, returnByValue: true });
      return result.value as T;
    },
    async countInstances(prototype) {
      const objectGroup = 'instances';
      const { result } = await call('Runtime.evaluate', { expression: prototype, objectGroup });
      const { objects } = await call('Runtime.queryObjects', { prototypeObjectId: result.objectId, objectGroup });
      const length = { objectId: objects.objectId, functionDeclaration: 'function () { return this.length }' };
      const counted = await call('Runtime.callFunctionOn', { ...length, returnByValue: true });
      await call('Runtime.releaseObjectGroup', { objectGroup });
      return counted.result.value;
    },
    async startProfile() {
      await call('Profiler.enable');
      await call('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US });
      await call('Profiler.start');
      return async () => (await call('Profiler.stop')).profile;
    },
    async detach() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
