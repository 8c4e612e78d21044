import type { Logger } from '../logger.ts';
import type { Hint, HintListener } from './broker.ts';
import { createSparingLog } from '../sparing-log.ts';

export type Deliver = (topic: string, listener: HintListener, hint: Hint) => void;

/** Calls a listener so that what it throws stays with it. Each listener gets a hint of its own. */
export function createDelivery(logger: Logger): Deliver {
  const logFailure = createSparingLog((failure: { topic: string; err: unknown }, heldBack) => {
    logger.error({ ...failure, heldBack }, 'A hint listener threw');
  });
  return (topic, listener, hint) => {
    try {
      listener({ ...hint });
    } catch (err) {
      logFailure({ topic, err });
    }
  };
}
