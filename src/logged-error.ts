/** What is logged of an error, and of what it wraps: what kind it is and where it arose, never the values it was about. */
export interface LoggedError {
  type: string;
  /** Without what it quotes, unless that is the name of something. */
  message?: string;
  /** Of PostgreSQL, Prisma, a driver adapter or Node. */
  code?: string | number;
  originalCode?: string;
  kind?: string;
  /** The type, the message and, line by line, where. */
  stack?: string;
  cause?: LoggedError;
  errors?: LoggedError[];
}

const MAX_DEPTH = 5;

/**
 * The serializer of `err`. An error of the database carries what it refused in fields of its own, such as
 * `Failing row contains (…)`, and libraries add more with every release: so it is a list of what is kept.
 */
export function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (typeof error !== 'object' || error === null) return { type: typeof error };
  const fields = error as Record<string, unknown>;
  const type = error instanceof Error ? error.constructor.name : 'Object';
  const text = [fields['message'], fields['originalMessage']].find((value) => typeof value === 'string');
  const logged: LoggedError = { type };
  if (text !== undefined) logged.message = withoutValues(text);
  if (typeof fields['code'] === 'string' || typeof fields['code'] === 'number') logged.code = fields['code'];
  for (const name of ['originalCode', 'kind'] as const)
    if (typeof fields[name] === 'string') logged[name] = fields[name];
  if (error instanceof Error && error.stack)
    logged.stack = `${type}: ${logged.message}${framesOf(error.stack, error.message)}`;
  if (depth === MAX_DEPTH) return logged;
  const cause = fields['cause'] ?? (fields['meta'] as Record<string, unknown> | undefined)?.['driverAdapterError'];
  if (cause !== undefined) logged.cause = toLoggedError(cause, depth + 1);
  if (Array.isArray(fields['errors']))
    logged.errors = (fields['errors'] as unknown[]).slice(0, MAX_DEPTH).map((one) => toLoggedError(one, depth + 1));
  return logged;
}

/** In front of the name of something. What else is quoted may be somebody's. */
const NAMED = /\b(relation|table|column|constraint|index|function|operator|type|schema|database|role|extension) $/;

/** A value may hold quotes itself: so all goes from the first that opens one to the last that there is. */
function withoutValues(message: string): string {
  const text = message.replaceAll(/=\(.*\)/gs, '=(…)');
  for (let at = text.indexOf('"'); at !== -1;) {
    const end = text.indexOf('"', at + 1);
    // One that is not closed goes on to the end.
    if (end === -1) return `${text.slice(0, at)}"…`;
    if (!NAMED.test(text.slice(0, at))) return `${text.slice(0, at)}"…"${text.slice(text.lastIndexOf('"') + 1)}`;
    at = text.indexOf('"', end + 1);
  }
  return text;
}

/** What follows the message, of which any line may look like a frame. */
function framesOf(stack: string, message: string): string {
  const behind = stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : stack;
  return behind
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => `\n${line}`)
    .join('');
}
