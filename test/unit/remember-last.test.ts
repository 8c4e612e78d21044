import { expect, it } from 'vitest';
import { rememberLast } from '../../src/remember-last.ts';

it('asks again when it is asked for something else, and for nothing as for anything', () => {
  const asked: Array<string | undefined> = [];
  const length = rememberLast((text: string | undefined) => {
    asked.push(text);
    return text?.length;
  });
  const given = [undefined, undefined, 'one', 'one', 'three', 'one', undefined];
  expect(given.map(length)).toEqual([undefined, undefined, 3, 3, 5, 3, undefined]);
  expect(asked).toEqual([undefined, 'one', 'three', 'one', undefined]);
});
