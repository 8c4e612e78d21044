import { createClient } from './client.ts';
import type { Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import { graphql } from './generated/index.ts';

/** The tokens of one session, as register, login and refresh hand them out. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

/** A session of somebody who has signed up. The tokens are the test's to replace. */
export interface Device extends Tokens {
  readonly sessionId: string;
  /** With the newest access token, at one node of the cluster. Default: the first. */
  client(nodeIndex?: number): Client;
}

const SignIn = graphql(/* GraphQL */ `
  mutation SignInDevice($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
    }
  }
`);

const Renew = graphql(/* GraphQL */ `
  mutation RenewTokens($refreshToken: String!) {
    refresh(refreshToken: $refreshToken) {
      accessToken
      accessTokenExpiresAt
      refreshToken
      refreshTokenExpiresAt
      user {
        id
        email
      }
    }
  }
`);

/** Another device of the person: a session of its own. */
export async function signIn(
  cluster: Cluster,
  { email, password }: { email: string; password: string },
  { deviceName, nodeIndex = 0 }: { deviceName?: string; nodeIndex?: number } = {},
): Promise<Device> {
  const input = { email, password, ...(deviceName !== undefined && { deviceName }) };
  const { login } = await createClient(cluster.node(nodeIndex)).request(SignIn, { input });
  return deviceOf(cluster, login);
}

/** The device that holds these tokens. */
export function deviceOf(cluster: Cluster, { accessToken, refreshToken }: Tokens): Device {
  const device: Device = {
    accessToken,
    refreshToken,
    sessionId: claimsOf(accessToken).sid,
    client: (nodeIndex = 0) => createClient(cluster.node(nodeIndex), { token: () => device.accessToken }),
  };
  return device;
}

/** What `refresh` answers. Nobody has to be signed in for it. */
export async function renew(cluster: Cluster, refreshToken: string, nodeIndex = 0) {
  const { refresh } = await createClient(cluster.node(nodeIndex)).request(Renew, { refreshToken });
  return refresh;
}

export interface Claims {
  iss: string;
  aud: string;
  sub: string;
  sid: string;
  jti: string;
  iat: number;
  exp: number;
}

/** Read, not verified. */
export function claimsOf(accessToken: string): Claims {
  return partOf(accessToken, 1) as Claims;
}

export function headerOf(accessToken: string): Record<string, unknown> {
  return partOf(accessToken, 0) as Record<string, unknown>;
}

function partOf(token: string, index: 0 | 1): unknown {
  return JSON.parse(Buffer.from(token.split('.')[index]!, 'base64url').toString());
}
