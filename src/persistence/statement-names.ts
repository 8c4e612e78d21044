/** A connection keeps as many prepared; of lists of all lengths there would be no end. */
const MAX_NAMES = 100;

/** Empty: it has none. */
export type StatementNames = (statement: { sql: string; args: readonly unknown[] }) => string;

/**
 * Names statements by their text, so that each connection parses and plans one only once. Those without parameters, and
 * those that come first when there are enough, have no name.
 */
export function createStatementNames(): StatementNames {
  const names = new Map<string, string>();
  return ({ sql, args }) => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (args.length === 0 || names.size === MAX_NAMES) return '';
    const name = `parley_${names.size + 1}`;
    names.set(sql, name);
    return name;
  };
}
