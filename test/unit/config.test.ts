import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, DEFAULT_ORIGINS, readConfig } from '../../src/config.ts';

const SECRET = 'a secret for tests, of 32 bytes or more';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'parley-config-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

describe('without settings', () => {
  it('is a development server with everything inside it', () => {
    expect(readConfig({ DATA_DIR: dataDir })).toMatchObject({
      production: false,
      port: 4000,
      host: undefined,
      databaseUrl: undefined,
      redisUrls: [],
      accessTokenTtlMs: 30 * 60_000,
      refreshTokenTtlMs: 180 * 86_400_000,
      corsOrigins: DEFAULT_ORIGINS,
      databasePoolSize: 10,
      graphiql: true,
      introspection: true,
      logLevel: 'info',
    });
  });

  it('takes an empty value for absent', () => {
    expect(readConfig({ DATA_DIR: dataDir, PORT: '', REDIS_URL: '', JWT_SECRET: '' })).toMatchObject({
      port: 4000,
      redisUrls: [],
    });
  });

  it('shows less in production', () => {
    expect(readConfig({ NODE_ENV: 'production', JWT_SECRET: SECRET })).toMatchObject({
      production: true,
      graphiql: false,
      introspection: false,
    });
  });
});

describe('given settings', () => {
  it('reads lifetimes in seconds, minutes, hours and days', () => {
    const ttl = (ACCESS_TOKEN_TTL: string) => readConfig({ JWT_SECRET: SECRET, ACCESS_TOKEN_TTL }).accessTokenTtlMs;
    expect([ttl('30s'), ttl('15m'), ttl('12h'), ttl('7d')]).toEqual([30_000, 900_000, 43_200_000, 604_800_000]);
  });

  it('reads lists, with or without spaces', () => {
    const config = readConfig({
      JWT_SECRET: SECRET,
      REDIS_URL: 'redis://one:6379, rediss://two:6380',
      CORS_ORIGINS: 'https://app.example,capacitor://localhost',
    });
    expect(config.redisUrls).toEqual(['redis://one:6379', 'rediss://two:6380']);
    expect(config.corsOrigins).toEqual(['https://app.example', 'capacitor://localhost']);
  });

  it.each([
    ['PORT', 'http'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['DATABASE_URL', 'mysql://localhost/parley'],
    ['DATABASE_URL', 'localhost'],
    ['REDIS_URL', 'redis://one:6379,http://two'],
    ['JWT_SECRET', 'thirty-one bytes are not enough'],
    ['ACCESS_TOKEN_TTL', '30'],
    ['ACCESS_TOKEN_TTL', '0m'],
    ['REFRESH_TOKEN_TTL', '1.5d'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://app.example/path'],
    ['DATABASE_POOL_SIZE', '0'],
    ['GRAPHIQL', '1'],
    ['INTROSPECTION', 'yes'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s in one line that names it', (name, value) => {
    const error = errorOf({ DATA_DIR: dataDir, JWT_SECRET: SECRET, [name]: value });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(new RegExp(`^${name} must .+$`));
    expect(error.message.split('\n')).toHaveLength(1);
  });
});

describe('the secret', () => {
  it('is required in production', () => {
    const error = errorOf({ NODE_ENV: 'production', DATA_DIR: dataDir });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^JWT_SECRET is required/);
  });

  it('is the one that is given', () => {
    expect(Buffer.from(readConfig({ JWT_SECRET: SECRET }).jwtSecret).toString()).toBe(SECRET);
  });

  it('is made in development, kept for the next start, and readable by its owner alone', async () => {
    const first = readConfig({ DATA_DIR: join(dataDir, 'new') });
    const second = readConfig({ DATA_DIR: join(dataDir, 'new') });
    expect(first.jwtSecret.byteLength).toBeGreaterThanOrEqual(32);
    expect(second.jwtSecret).toEqual(first.jwtSecret);
    expect((await stat(join(dataDir, 'new', 'jwt-secret'))).mode & 0o777).toBe(0o600);
  });

  it('differs from deployment to deployment', () => {
    const one = readConfig({ DATA_DIR: join(dataDir, 'one') });
    const two = readConfig({ DATA_DIR: join(dataDir, 'two') });
    expect(two.jwtSecret).not.toEqual(one.jwtSecret);
  });

  it('is refused when the kept one is damaged, and left as it is', async () => {
    const path = join(dataDir, 'jwt-secret');
    await writeFile(path, 'short');
    const error = errorOf({ DATA_DIR: dataDir });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(path);
    expect(await readFile(path, 'utf8')).toBe('short');
  });

  it('needs a directory that can be written', async () => {
    const path = join(dataDir, 'a-file');
    await writeFile(path, '');
    const error = errorOf({ DATA_DIR: path });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(path);
    expect(error.message.split('\n')).toHaveLength(1);
  });
});

function errorOf(env: Record<string, string>): Error {
  try {
    readConfig(env);
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was refused');
}
