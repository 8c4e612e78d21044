import { runClosedLoop } from './closed-loop.ts';
import type { LoopResult } from './closed-loop.ts';
import { openHttp } from './http.ts';
import type { HttpTarget } from './http.ts';
import type { Metered, Stage } from './stage.ts';

export interface Requests {
  title: string;
  target: HttpTarget;
  clients: number;
  body: string;
  /** What is answered is looked at each time: a fast error is no answer. */
  isRight(answer: string): boolean;
}

/** The same request again and again, over connections that are kept; with the processor time of the server in µs. */
export async function measureRequests(
  stage: Stage,
  server: Metered,
  { title, target, clients, body, isRight }: Requests,
): Promise<LoopResult & { cpuTime: number }> {
  const connections = await Promise.all(Array.from({ length: clients }, () => openHttp(target)));
  const ask = async (client: number) => {
    const answer = await connections[client]!.request(body);
    if (!isRight(answer)) throw new Error(`a wrong answer: ${answer.slice(0, 500)}`);
  };
  await runClosedLoop(clients, stage.size.warmUpSeconds, ask);
  const result = await stage.meter(title, server, () => runClosedLoop(clients, stage.size.seconds, ask));
  for (const connection of connections) connection.close();
  return result;
}
