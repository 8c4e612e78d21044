import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { isGuessable } from './auth/guessable-secrets.ts';
import type { ProviderSettings } from './auth/provider-tokens.ts';
import { privateKey, secretKey } from './auth/signing-keys.ts';
import type { SigningKey } from './auth/signing-keys.ts';
import { readManifest } from './graphql/document-manifest.ts';
import type { ListedText } from './graphql/document-manifest.ts';
import type { WritingLimits } from './rate-limits/rate-limits.ts';

/** What a settings problem is reported as: one clear line, exit code 1. */
export class ConfigError extends Error {}

export interface Config {
  production: boolean;
  port: number;
  /** Undefined: all interfaces. */
  host: string | undefined;
  /** Processes behind that port. */
  workers: number;
  /** Undefined: the embedded database in `dataDir`. */
  databaseUrl: string | undefined;
  /** Connections of this process to PostgreSQL. */
  databasePoolSize: number;
  dataDir: string;
  /** Empty: the in-process broker. More than one: nodes of a cluster. */
  redisUrls: string[];
  /** Put before every Redis channel, so that deployments can share a server. */
  redisPrefix: string;
  /** What refresh tokens are written with, and access tokens signed where there is no private key. */
  jwtSecret: Uint8Array;
  /** The one before it. */
  formerJwtSecret: Uint8Array | undefined;
  /** What access tokens are signed with. */
  signingKey: SigningKey;
  formerSigningKeys: SigningKey[];
  /** Who else says who somebody is. Undefined: nobody. */
  provider: ProviderSettings | undefined;
  accessTokenTtlMs: number;
  refreshTokenTtlMs: number;
  corsOrigins: string[];
  /** Holds a built single-page app, to be served at `/`. Undefined: none is. */
  appDir: string | undefined;
  /** Off: for load tests. */
  rateLimit: boolean;
  writing: WritingLimits;
  /** How many proxies in front say in X-Forwarded-For and -Proto whom they speak for, and how. 0: these are ignored. */
  trustProxy: number;
  /** Connections that are open to this process: of everybody, and of one address. */
  connections: { all: number; ofAddress: number };
  graphiql: boolean;
  introspection: boolean;
  /** The only documents that are run. Undefined: any is. */
  persistedDocuments: readonly ListedText[] | undefined;
  logLevel: string;
  /** Where Prometheus asks. Undefined: nobody does, and nothing is kept. */
  metrics: { port: number; host: string } | undefined;
}

/** The origins of Capacitor (iOS, Android), Ionic's older web view, and development servers. */
export const DEFAULT_ORIGINS = [
  'capacitor://localhost',
  'ionic://localhost',
  'https://localhost',
  'http://localhost',
  'http://localhost:3000',
  'http://localhost:4000',
  'http://localhost:4200',
  'http://localhost:5173',
  'http://localhost:8100',
];

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Ten years; with far more, the database has no such date. */
const MAX_LIFETIME_MS = 3_650 * UNIT_MS.d;

const duration = z
  .string()
  .regex(/^[1-9][0-9]{0,8}[smhd]$/, 'must be a number and a unit, such as 30s, 15m, 12h or 7d')
  .transform((text) => Number(text.slice(0, -1)) * UNIT_MS[text.at(-1) as keyof typeof UNIT_MS])
  .refine((ms) => ms <= MAX_LIFETIME_MS, 'must be 3650d or less');

const onOff = z.enum(['on', 'off'], 'must be on or off').transform((value) => value === 'on');

const url = (schemes: string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && schemes.includes(new URL(text).protocol),
      `must be a URL that starts with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`,
    );

const MACHINE_ITSELF = ['localhost', '127.0.0.1', '[::1]'];

/** Of a provider: what is said on the way must not be changed there. */
const providerUrl = z
  .string()
  .refine((text) => isProviderUrl(text), 'must be an https URL, or one of http and localhost outside production');

function isProviderUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, hash } = new URL(text);
  if (username !== '' || password !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && MACHINE_ITSELF.includes(hostname));
}

const list = (item: z.ZodType<string, string>) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item));

const origin = z
  .string()
  .refine(
    (text) => /^[a-z][a-z0-9+.-]*:\/\/[^/?#*@\s]+$/i.test(text),
    'must be exact origins, such as https://app.example',
  );

const port = z
  .string()
  .regex(/^[0-9]{1,5}$/, 'must be a port, 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65535, 'must be a port, 0 to 65535');

const amount = z
  .string()
  .regex(/^[1-9][0-9]{0,8}$/, 'must be a whole number, 1 to 999999999')
  .transform(Number);

const secret = z.string().refine((text) => Buffer.byteLength(text) >= 32, 'must have 32 bytes or more');

const pem = z.string().transform((text, context) => {
  const key = readPem(text);
  if (key) return key;
  context.addIssue({ code: 'custom', message: 'must be a private key in PEM, Ed25519 or P-256' });
  return z.NEVER;
});

const manifest = z.string().transform((path, context) => {
  try {
    return readManifest(path);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** The example app, once it is built: beside the sources as beside what they are built to. */
const EXAMPLE_APP = fileURLToPath(new URL('../examples/ionic-chat/dist', import.meta.url));
const holdsApp = (directory: string) => existsSync(join(directory, 'index.html'));

const settings = z.object({
  NODE_ENV: z
    .enum(['production', 'development', 'test'], 'must be production, development or test, in these letters')
    .default('development'),
  PORT: port.default(4000),
  HOST: z.string().optional(),
  WORKERS: z
    .string()
    .regex(/^[1-9][0-9]?$/, 'must be a number of processes, 1 to 99')
    .transform(Number)
    .default(1),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  DATABASE_POOL_SIZE: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, 'must be a number of connections, 1 to 999')
    .transform(Number)
    .default(10),
  DATA_DIR: z.string().default('./data'),
  REDIS_URL: list(url(['redis:', 'rediss:'])).default([]),
  REDIS_PREFIX: z.string().default('parley:'),
  JWT_SECRET: secret.optional(),
  JWT_SECRET_FORMER: secret.optional(),
  JWT_PRIVATE_KEY: pem.optional(),
  JWT_PRIVATE_KEY_FORMER: pem.optional(),
  OIDC_ISSUER: providerUrl.optional(),
  OIDC_AUDIENCE: list(z.string().min(1, 'must be client ids, with commas between them')).optional(),
  OIDC_JWKS_URL: providerUrl.optional(),
  ACCESS_TOKEN_TTL: duration.default(30 * UNIT_MS.m),
  REFRESH_TOKEN_TTL: duration.default(180 * UNIT_MS.d),
  CORS_ORIGINS: list(origin).default(DEFAULT_ORIGINS),
  APP_DIR: z
    .string()
    .refine((text) => text === 'none' || holdsApp(text), 'must be a directory with an index.html, or none')
    .optional(),
  RATE_LIMIT: onOff.default(true),
  MESSAGES_PER_MINUTE: amount.default(600),
  // Below that, there would be a message that is refused for ever.
  MESSAGE_BYTES_PER_MINUTE: amount.refine((bytes) => bytes >= 50_000, 'must be 50000 or more').default(2_000_000),
  TRUST_PROXY: z
    .string()
    .regex(/^[0-9]$/, 'must be a number of proxies, 0 to 9')
    .transform(Number)
    .default(0),
  MAX_CONNECTIONS: amount.default(10_000),
  ADDRESS_CONNECTIONS: amount.default(2_000),
  GRAPHIQL: onOff.optional(),
  INTROSPECTION: onOff.optional(),
  PERSISTED_DOCUMENTS: manifest.optional(),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be a level, such as info or debug')
    .default('info'),
  METRICS_PORT: port.optional(),
  METRICS_HOST: z.string().default('127.0.0.1'),
});

/**
 * Reads every setting once. An empty value counts as absent.
 *
 * @throws ConfigError for the first value that is not as described in the README.
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = settings.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new ConfigError(`${issue.path[0]?.toString()} ${issue.message}`);
  }
  const s = parsed.data;
  const production = s.NODE_ENV === 'production';
  if (production) assertSafe(s);
  if (s.WORKERS > 1 && (s.DATABASE_URL === undefined || s.REDIS_URL.length === 0))
    throw new ConfigError('WORKERS above 1 needs DATABASE_URL and REDIS_URL: what is embedded is within one process');
  if (s.PERSISTED_DOCUMENTS && s.GRAPHIQL)
    throw new ConfigError('GRAPHIQL must be off with PERSISTED_DOCUMENTS: what is typed there is on no list');
  if (s.METRICS_PORT !== undefined && s.METRICS_PORT !== 0 && s.METRICS_PORT === s.PORT)
    throw new ConfigError('METRICS_PORT must not be PORT: what is told there is for operators alone');
  return {
    production,
    port: s.PORT,
    host: s.HOST,
    workers: s.WORKERS,
    databaseUrl: s.DATABASE_URL,
    databasePoolSize: s.DATABASE_POOL_SIZE,
    dataDir: s.DATA_DIR,
    redisUrls: s.REDIS_URL,
    redisPrefix: s.REDIS_PREFIX,
    ...readKeys(s),
    provider: readProvider(s),
    accessTokenTtlMs: s.ACCESS_TOKEN_TTL,
    refreshTokenTtlMs: s.REFRESH_TOKEN_TTL,
    corsOrigins: s.CORS_ORIGINS,
    appDir: appDir(s.APP_DIR),
    rateLimit: s.RATE_LIMIT,
    writing: { messages: s.MESSAGES_PER_MINUTE, bytes: s.MESSAGE_BYTES_PER_MINUTE },
    trustProxy: s.TRUST_PROXY,
    // A proxy's own address speaks for everybody behind it.
    connections: { all: s.MAX_CONNECTIONS, ofAddress: s.TRUST_PROXY > 0 ? Infinity : s.ADDRESS_CONNECTIONS },
    graphiql: s.GRAPHIQL ?? !(production || s.PERSISTED_DOCUMENTS),
    introspection: s.INTROSPECTION ?? !production,
    persistedDocuments: s.PERSISTED_DOCUMENTS,
    logLevel: s.LOG_LEVEL,
    metrics: s.METRICS_PORT === undefined ? undefined : { port: s.METRICS_PORT, host: s.METRICS_HOST },
  };
}

/** What may be tried out in development, and not be put on the open internet. */
function assertSafe(s: z.infer<typeof settings>): void {
  if (s.JWT_SECRET === undefined)
    throw new ConfigError('JWT_SECRET is required when NODE_ENV=production (32 bytes or more)');
  for (const name of ['JWT_SECRET', 'JWT_SECRET_FORMER'] as const)
    if (s[name] !== undefined && isGuessable(s[name]))
      throw new ConfigError(`${name} is too easy to guess; \`openssl rand -hex 32\` makes a good one`);
  for (const name of ['OIDC_ISSUER', 'OIDC_JWKS_URL'] as const)
    if (s[name] !== undefined && new URL(s[name]).protocol !== 'https:')
      throw new ConfigError(`${name} must be an https URL when NODE_ENV=production`);
  if (s.GRAPHIQL) throw new ConfigError('GRAPHIQL must be off when NODE_ENV=production');
}

function readProvider(s: z.infer<typeof settings>): ProviderSettings | undefined {
  const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audiences, OIDC_JWKS_URL: keysUrl } = s;
  if (issuer === undefined && audiences === undefined && keysUrl === undefined) return undefined;
  if (issuer === undefined || audiences === undefined || keysUrl === undefined)
    throw new ConfigError('OIDC_ISSUER, OIDC_AUDIENCE and OIDC_JWKS_URL go together: all three, or none');
  return { issuer, audiences, keysUrl: new URL(keysUrl) };
}

function readKeys(
  s: z.infer<typeof settings>,
): Pick<Config, 'jwtSecret' | 'formerJwtSecret' | 'signingKey' | 'formerSigningKeys'> {
  const encoder = new TextEncoder();
  const jwtSecret = encoder.encode(s.JWT_SECRET ?? developmentSecret(s.DATA_DIR));
  const formerJwtSecret = s.JWT_SECRET_FORMER === undefined ? undefined : encoder.encode(s.JWT_SECRET_FORMER);
  const secretKeys = (formerJwtSecret ? [jwtSecret, formerJwtSecret] : [jwtSecret]).map(secretKey);
  // A private key takes over from the secret.
  const signingKey = s.JWT_PRIVATE_KEY ?? secretKeys[0]!;
  const others = [s.JWT_PRIVATE_KEY_FORMER, ...secretKeys].filter((key) => key !== undefined);
  return { jwtSecret, formerJwtSecret, signingKey, formerSigningKeys: others.filter((key) => key !== signingKey) };
}

/** A setting cannot always hold the ends of lines: there `\n` stands for one. */
function readPem(text: string): SigningKey | null {
  try {
    return privateKey(createPrivateKey(text.replaceAll('\\n', '\n')));
  } catch {
    return null;
  }
}

function appDir(given: string | undefined): string | undefined {
  if (given === 'none') return undefined;
  return given ?? (holdsApp(EXAMPLE_APP) ? EXAMPLE_APP : undefined);
}

/** Made at the first start and kept, so that a restart signs nobody out. */
function developmentSecret(dataDir: string): string {
  const path = join(dataDir, 'jwt-secret');
  try {
    mkdirSync(dataDir, { recursive: true });
  } catch (error) {
    throw new ConfigError(`DATA_DIR ${dataDir} cannot be used: ${(error as Error).message}`);
  }
  try {
    writeFileSync(path, randomBytes(48).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new ConfigError(`DATA_DIR ${dataDir} cannot be written: ${(error as Error).message}`);
  }
  const secret = readFileSync(path, 'utf8').trim();
  if (Buffer.byteLength(secret) < 32) throw new ConfigError(`${path} is damaged: remove it to have a new one made`);
  return secret;
}
