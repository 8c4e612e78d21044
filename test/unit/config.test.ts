import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, DEFAULT_ORIGINS, readConfig } from '../../src/config.ts';

const SECRET = 'a secret for tests, of 32 bytes or more';

function pemOf(type: 'ed25519' | 'ec' | 'rsa', options: object = {}): string {
  const pair = (generateKeyPairSync as (type: string, options: object) => { privateKey: KeyObject })(type, options);
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

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
      workers: 1,
      databaseUrl: undefined,
      redisUrls: [],
      accessTokenTtlMs: 30 * 60_000,
      refreshTokenTtlMs: 180 * 86_400_000,
      corsOrigins: DEFAULT_ORIGINS,
      databasePoolSize: 10,
      rateLimit: true,
      writing: { messages: 600, bytes: 2_000_000 },
      trustProxy: 0,
      connections: { all: 10_000, ofAddress: 2_000 },
      graphiql: true,
      introspection: true,
      persistedDocuments: undefined,
      logLevel: 'info',
      metrics: undefined,
      provider: undefined,
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

  it('limits what one person writes as it is told', () => {
    const config = readConfig({ JWT_SECRET: SECRET, MESSAGES_PER_MINUTE: '6000', MESSAGE_BYTES_PER_MINUTE: '50000' });
    expect(config.writing).toEqual({ messages: 6_000, bytes: 50_000 });
  });

  it('limits no rates when told so, and trusts as many proxies as it is told of', () => {
    const config = readConfig({ JWT_SECRET: SECRET, RATE_LIMIT: 'off', TRUST_PROXY: '2' });
    expect(config).toMatchObject({ rateLimit: false, trustProxy: 2 });
  });

  it('limits connections by address, unless proxies stand for everybody', () => {
    const connectionsOf = (env: Record<string, string>) => readConfig({ JWT_SECRET: SECRET, ...env }).connections;
    const given = { MAX_CONNECTIONS: '50', ADDRESS_CONNECTIONS: '20' };
    expect(connectionsOf(given)).toEqual({ all: 50, ofAddress: 20 });
    expect(connectionsOf({ ...given, TRUST_PROXY: '1' })).toEqual({ all: 50, ofAddress: Infinity });
  });

  it('tells operators at a port of their own, to this machine alone unless told otherwise', () => {
    const metrics = (env: Record<string, string>) => readConfig({ JWT_SECRET: SECRET, ...env }).metrics;
    expect(metrics({ METRICS_PORT: '9464' })).toEqual({ port: 9464, host: '127.0.0.1' });
    expect(metrics({ METRICS_PORT: '0', METRICS_HOST: '0.0.0.0' })).toEqual({ port: 0, host: '0.0.0.0' });
    expect(metrics({ METRICS_HOST: '0.0.0.0' })).toBeUndefined();
    expect(() => metrics({ METRICS_PORT: '4000' })).toThrow(/^METRICS_PORT must not be PORT/);
  });

  it('reads lifetimes of up to ten years', () => {
    expect(readConfig({ JWT_SECRET: SECRET, REFRESH_TOKEN_TTL: '3650d' }).refreshTokenTtlMs).toBe(3_650 * 86_400_000);
  });

  it.each(['', 'development', 'test'])('is no production with NODE_ENV=%s', (NODE_ENV) => {
    expect(readConfig({ NODE_ENV, DATA_DIR: dataDir }).production).toBe(false);
  });

  it.each([
    ['NODE_ENV', 'Production'],
    ['NODE_ENV', 'prod'],
    ['NODE_ENV', ' production'],
    ['NODE_ENV', 'staging'],
    ['PORT', 'http'],
    ['METRICS_PORT', 'on'],
    ['METRICS_PORT', '65536'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['WORKERS', '0'],
    ['WORKERS', '1.5'],
    ['WORKERS', '100'],
    ['DATABASE_URL', 'mysql://localhost/parley'],
    ['DATABASE_URL', 'localhost'],
    ['REDIS_URL', 'redis://one:6379,http://two'],
    ['JWT_SECRET', 'thirty-one bytes are not enough'],
    ['JWT_SECRET_FORMER', 'too short'],
    ['JWT_PRIVATE_KEY', 'what is no PEM'],
    ['JWT_PRIVATE_KEY', pemOf('ec', { namedCurve: 'P-384' })],
    ['JWT_PRIVATE_KEY_FORMER', pemOf('rsa', { modulusLength: 2048 })],
    ['OIDC_ISSUER', 'accounts.example'],
    ['OIDC_ISSUER', 'http://accounts.example'],
    ['OIDC_ISSUER', 'http://localhost.example'],
    ['OIDC_ISSUER', 'https://user:secret@accounts.example'],
    ['OIDC_AUDIENCE', 'one,,two'],
    ['OIDC_JWKS_URL', 'file:///keys.json'],
    ['OIDC_JWKS_URL', 'http://accounts.example/keys'],
    ['ACCESS_TOKEN_TTL', '30'],
    ['ACCESS_TOKEN_TTL', '0m'],
    ['REFRESH_TOKEN_TTL', '1.5d'],
    ['REFRESH_TOKEN_TTL', '3651d'],
    ['REFRESH_TOKEN_TTL', '999999999d'],
    ['ACCESS_TOKEN_TTL', '87601h'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://app.example/path'],
    ['DATABASE_POOL_SIZE', '0'],
    ['RATE_LIMIT', 'no'],
    ['MAX_CONNECTIONS', '0'],
    ['MAX_CONNECTIONS', '1000000000'],
    ['ADDRESS_CONNECTIONS', 'many'],
    ['MESSAGES_PER_MINUTE', '0'],
    ['MESSAGES_PER_MINUTE', '1.5'],
    ['MESSAGE_BYTES_PER_MINUTE', '49999'],
    ['MESSAGE_BYTES_PER_MINUTE', '2 MB'],
    ['TRUST_PROXY', 'on'],
    ['TRUST_PROXY', '-1'],
    ['GRAPHIQL', '1'],
    ['INTROSPECTION', 'yes'],
    ['APP_DIR', '/nowhere'],
    ['APP_DIR', import.meta.dirname],
    ['LOG_LEVEL', 'loud'],
    ['PERSISTED_DOCUMENTS', '/nowhere.json'],
    ['PERSISTED_DOCUMENTS', import.meta.filename],
    ['PERSISTED_DOCUMENTS', resolve(import.meta.dirname, '../../package.json')],
  ])('refuses %s=%s in one line that names it', (name, value) => {
    const error = errorOf({ DATA_DIR: dataDir, JWT_SECRET: SECRET, [name]: value });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(new RegExp(`^${name} must .+$`));
    expect(error.message.split('\n')).toHaveLength(1);
  });
});

describe('workers', () => {
  const DATABASE_URL = 'postgresql://localhost/parley';
  const REDIS_URL = 'redis://localhost';
  const workers = (WORKERS: string, more: Record<string, string>) =>
    readConfig({ JWT_SECRET: SECRET, WORKERS, ...more }).workers;

  it('may be many with PostgreSQL and Redis between them', () => {
    expect(workers('4', { DATABASE_URL, REDIS_URL })).toBe(4);
  });

  it('may be one whatever is embedded', () => {
    expect(workers('1', {})).toBe(1);
  });

  it.each<Record<string, string>>([{}, { DATABASE_URL }, { REDIS_URL }])('are refused with %o alone', (more) => {
    const error = errorOf({ JWT_SECRET: SECRET, WORKERS: '2', ...more });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^WORKERS .* DATABASE_URL and REDIS_URL/);
    expect(error.message.split('\n')).toHaveLength(1);
  });
});

describe('an identity provider', () => {
  const OIDC_ISSUER = 'https://accounts.example/tenant/';
  const OIDC_AUDIENCE = 'app, app-web';
  const OIDC_JWKS_URL = 'https://accounts.example/keys?v=2';
  const all = { OIDC_ISSUER, OIDC_AUDIENCE, OIDC_JWKS_URL };

  it('is trusted as it is written, by the apps that are named', () => {
    expect(readConfig({ JWT_SECRET: SECRET, NODE_ENV: 'production', ...all }).provider).toEqual({
      issuer: OIDC_ISSUER,
      audiences: ['app', 'app-web'],
      keysUrl: new URL(OIDC_JWKS_URL),
    });
  });

  it.each(Object.keys(all))('is not trusted without %s', (name) => {
    const error = errorOf({ JWT_SECRET: SECRET, ...all, [name]: '' });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^OIDC_ISSUER, OIDC_AUDIENCE and OIDC_JWKS_URL go together/);
  });

  it.each(['localhost', '127.0.0.1:8080', '[::1]'])('may be at http://%s, outside production', (host) => {
    const local = { ...all, OIDC_ISSUER: `http://${host}`, OIDC_JWKS_URL: `http://${host}/keys` };
    expect(readConfig({ JWT_SECRET: SECRET, ...local }).provider?.issuer).toBe(`http://${host}`);
    for (const name of ['OIDC_ISSUER', 'OIDC_JWKS_URL'] as const)
      expect(errorOf({ JWT_SECRET: SECRET, NODE_ENV: 'production', ...all, [name]: local[name] }).message).toBe(
        `${name} must be an https URL when NODE_ENV=production`,
      );
  });
});

describe('the app', () => {
  const appDir = (APP_DIR?: string) => readConfig({ JWT_SECRET: SECRET, APP_DIR }).appDir;

  it('is the example when that is built', () => {
    const example = resolve(import.meta.dirname, '../../examples/ionic-chat/dist');
    expect(appDir()).toBe(existsSync(join(example, 'index.html')) ? example : undefined);
  });

  it('is the one that is named, or none', async () => {
    await writeFile(join(dataDir, 'index.html'), '');
    expect(appDir(dataDir)).toBe(dataDir);
    expect(appDir('none')).toBeUndefined();
  });
});

describe('the documents that are run', () => {
  it.each([
    ['a map', { one: '{ me { id } }' }],
    [
      'an Apollo manifest',
      {
        format: 'apollo-persisted-query-manifest',
        version: 1,
        operations: [{ id: 'one', name: 'One', type: 'query', body: '{ me { id } }' }],
      },
    ],
  ])('are those of %s, and GraphiQL is off', async (_name, content) => {
    const path = join(dataDir, 'documents.json');
    await writeFile(path, JSON.stringify(content));
    expect(readConfig({ JWT_SECRET: SECRET, PERSISTED_DOCUMENTS: path })).toMatchObject({
      persistedDocuments: [{ id: 'one', text: '{ me { id } }' }],
      graphiql: false,
      introspection: true,
    });
    const error = errorOf({ JWT_SECRET: SECRET, PERSISTED_DOCUMENTS: path, GRAPHIQL: 'on' });
    expect(error).toBeInstanceOf(ConfigError);
  });
});

describe('what access tokens are signed with', () => {
  const keysOf = (env: Record<string, string>) => {
    const { signingKey, formerSigningKeys } = readConfig({ JWT_SECRET: SECRET, ...env });
    return [signingKey, ...formerSigningKeys].map(({ algorithm }) => algorithm);
  };

  it('is the secret, or a private key, which takes over from it', () => {
    expect(keysOf({})).toEqual(['HS256']);
    expect(keysOf({ JWT_PRIVATE_KEY: pemOf('ed25519') })).toEqual(['EdDSA', 'HS256']);
    const all = { JWT_PRIVATE_KEY_FORMER: pemOf('ed25519'), JWT_SECRET_FORMER: SECRET.toUpperCase() };
    expect(keysOf({ JWT_PRIVATE_KEY: pemOf('ec', { namedCurve: 'P-256' }), ...all })).toEqual([
      'ES256',
      'EdDSA',
      'HS256',
      'HS256',
    ]);
  });

  it('may be written on one line', () => {
    expect(keysOf({ JWT_PRIVATE_KEY: pemOf('ed25519').replaceAll('\n', '\\n') })).toEqual(['EdDSA', 'HS256']);
  });

  it('is never a key that is named for its tokens alone', () => {
    expect(keysOf({ JWT_PRIVATE_KEY_FORMER: pemOf('ed25519') })).toEqual(['HS256', 'EdDSA']);
  });
});

describe('production', () => {
  const inProduction = (env: Record<string, string>) =>
    errorOf({ NODE_ENV: 'production', DATA_DIR: dataDir, JWT_SECRET: SECRET, ...env });

  it.each([
    [{ JWT_SECRET: '' }, /^JWT_SECRET is required/],
    [{ JWT_SECRET: 'x'.repeat(64) }, /^JWT_SECRET is too easy to guess/],
    [{ JWT_SECRET: 'secret'.repeat(8) }, /^JWT_SECRET is too easy to guess/],
    [{ JWT_SECRET: 'passwordpasswordpasswordpassword1234' }, /^JWT_SECRET is too easy to guess/],
    [{ JWT_SECRET_FORMER: '01234567'.repeat(4) }, /^JWT_SECRET_FORMER is too easy to guess/],
    [{ GRAPHIQL: 'on' }, /^GRAPHIQL must be off/],
    [{ CORS_ORIGINS: '*' }, /^CORS_ORIGINS must be exact origins/],
  ])('does not start with %j, and says why in one line', (env, line) => {
    const error = inProduction(env);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(line);
    expect(error.message.split('\n')).toHaveLength(1);
  });

  it('starts with a secret from `openssl rand -hex 32`', () => {
    expect(() => readConfig({ NODE_ENV: 'production', JWT_SECRET: randomBytes(32).toString('hex') })).not.toThrow();
  });
});

describe('the secret', () => {
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
