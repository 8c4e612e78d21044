/**
 * The same function, but for what it was asked last it remembers the answer: for headers, which mostly come as they came
 * before.
 */
export function rememberLast<Given, Answer>(find: (given: Given) => Answer): (given: Given) => Answer {
  let last: { given: Given; answer: Answer } | undefined;
  return (given) => {
    if (!last || last.given !== given) last = { given, answer: find(given) };
    return last.answer;
  };
}
