/** What placeholders and examples are made of. */
const WORDS =
  /password|passwd|secret|token|jwt|key|admin|parley|change|please|default|production|example|super|your|this|that|some|random|string|letmein|welcome|qwerty|asdf|zxcv/g;

/** A random secret of 32 bytes in hexadecimal has 10 different characters or more, but for one in 900 billion. */
const LEAST_DIFFERENT = 10;
/** Of 32 random digits of hexadecimal, the least secret that is taken, about 26 surprise; fewer than 12 once in 40 million. */
const LEAST_SURPRISES = 12;

/** Whether a secret is a pattern, or made of words that are tried first. Never what `openssl rand` makes of 32 bytes. */
export function isGuessable(secret: string): boolean {
  const rest = secret.toLowerCase().replaceAll(WORDS, '');
  return new Set(secret).size < LEAST_DIFFERENT || countSurprises(rest) < LEAST_SURPRISES;
}

/** Characters that neither repeat the one before, nor go on from it as in `abc` or `321`, nor end three that came before. */
function countSurprises(text: string): number {
  const triples = new Set<string>();
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const step = at === 0 ? Infinity : Math.abs(text.charCodeAt(at) - text.charCodeAt(at - 1));
    const triple = text.slice(Math.max(0, at - 2), at + 1);
    if (step > 1 && !triples.has(triple)) count += 1;
    triples.add(triple);
  }
  return count;
}
