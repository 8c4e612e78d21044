/** One value of a metric, as Prometheus reads it. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  help: string;
  type: string;
  samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${NAME}) (\\S.*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
/** As Go reads numbers: the library writes what it has no value for as Nan. */
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([+-]?Inf|Na[nN]|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;

/** What a histogram's samples are called beside it. */
const SUFFIXES: Record<string, string[]> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/**
 * The text format of Prometheus, version 0.0.4, by family. Stricter than the format: HELP, TYPE and samples of a family
 * come in this order and together, and no sample comes twice.
 *
 * @throws Error with the line that is not as it should be.
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let name = '';
  let helped = '';
  for (const line of text.split('\n')) {
    const help = HELP.exec(line);
    const type = TYPE.exec(line);
    const sample = SAMPLE.exec(line);
    if (help) {
      [, helped = ''] = help;
      if (families.has(helped)) throw new Error(`a family comes twice: ${line}`);
      families.set(helped, { help: help[2]!, type: '', samples: [] });
    } else if (type) {
      if (type[1] !== helped || name === helped) throw new Error(`a type without its help: ${line}`);
      [, name = ''] = type;
      families.get(name)!.type = type[2]!;
    } else if (sample) {
      const family = families.get(name);
      const names = (SUFFIXES[family?.type ?? ''] ?? ['']).map((suffix) => name + suffix);
      if (!family || name !== helped || !names.includes(sample[1]!)) throw new Error(`not of ${name}: ${line}`);
      const key = line.slice(0, line.lastIndexOf(' '));
      if (seen.has(key)) throw new Error(`a sample comes twice: ${line}`);
      seen.add(key);
      family.samples.push({ name: sample[1]!, labels: parseLabels(sample[2] ?? ''), value: toNumber(sample[3]!) });
    } else if (line !== '') throw new Error(`not a line of the format: ${line}`);
  }
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== '';) {
    const [whole, label, value] = LABEL.exec(rest) ?? [];
    if (whole === undefined || Object.hasOwn(labels, label!)) throw new Error(`not labels: ${text}`);
    labels[label!] = value!;
    rest = rest.slice(whole.length);
  }
  return labels;
}

const toNumber = (text: string): number => Number(text.replace('Inf', 'Infinity'));

export interface Scrape {
  text: string;
  families: Map<string, Family>;
  /** The value of the sample that has just these labels; 0 when there is none. */
  read(name: string, labels?: Record<string, string>): number;
}

/** Asks as Prometheus does. */
export async function scrape({ metricsUrl }: { metricsUrl: string | undefined }): Promise<Scrape> {
  const response = await fetch(metricsUrl!);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${metricsUrl} answers ${response.status}`);
  const families = parseExposition(text);
  const samples = [...families.values()].flatMap((family) => family.samples);
  return {
    text,
    families,
    read(name, labels = {}) {
      const wanted = Object.entries(labels);
      const found = samples.find(
        (sample) =>
          sample.name === name &&
          Object.keys(sample.labels).length === wanted.length &&
          wanted.every(([label, value]) => sample.labels[label] === value),
      );
      return found?.value ?? 0;
    },
  };
}
