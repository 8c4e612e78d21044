import type { Report } from '../support/report.ts';
import type { Stage } from '../support/stage.ts';

export interface Scenario {
  /** What it is called on the command line. */
  name: string;
  title: string;
  run(stage: Stage): Promise<Report>;
}
