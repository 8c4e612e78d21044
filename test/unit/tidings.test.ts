import { expect, it } from 'vitest';
import { Tidings } from '../../src/realtime/tidings.ts';

const setUp = () => new Tidings();

it('tells what the sweep found and nobody told of until the next one, once', () => {
  const tidings = setUp();
  tidings.told(1);
  tidings.found(2);
  expect(tidings.takeLoss()).toBe(true);
  expect(tidings.takeLoss()).toBe(false);
});

it('takes for lost neither what was told before it was found nor what is told right after', () => {
  const tidings = setUp();
  tidings.told(2);
  tidings.found(2);
  expect(tidings.takeLoss()).toBe(false);
  tidings.found(3);
  tidings.told(3);
  expect(tidings.takeLoss()).toBe(false);
});

it('takes it for lost also when a later one is told', () => {
  const tidings = setUp();
  tidings.found(3);
  tidings.told(4);
  expect(tidings.takeLoss()).toBe(true);
});

it('is not silenced for good by a revision that there never was', () => {
  const tidings = setUp();
  tidings.told(Number.MAX_SAFE_INTEGER);
  tidings.told(2);
  tidings.found(3);
  expect(tidings.takeLoss()).toBe(true);
});

it('has nothing lost where all that there is will be read', () => {
  const tidings = setUp();
  tidings.found(3);
  tidings.toldOfAll();
  expect(tidings.takeLoss()).toBe(false);
});
