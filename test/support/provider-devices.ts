import { createClient } from './client.ts';
import type { Cluster } from './cluster.ts';
import { deviceOf } from './devices.ts';
import type { Device } from './devices.ts';
import { graphql } from './generated/index.ts';

const SignInWithProvider = graphql(/* GraphQL */ `
  mutation SignInWithProvider($input: LoginWithProviderInput!) {
    loginWithProvider(input: $input) {
      accessToken
      refreshToken
      user {
        id
        email
        firstName
        lastName
      }
    }
  }
`);

export interface ProviderDevice extends Device {
  readonly user: { id: string; email?: string | null; firstName: string; lastName: string };
}

/** A session of whom the token is of. */
export async function signInWithProvider(
  cluster: Cluster,
  idToken: string,
  { deviceName, separate, nodeIndex = 0 }: { deviceName?: string; separate?: boolean; nodeIndex?: number } = {},
): Promise<ProviderDevice> {
  const input = { idToken, ...(deviceName !== undefined && { deviceName }), ...(separate && { separate }) };
  const { loginWithProvider } = await createClient(cluster.node(nodeIndex)).request(SignInWithProvider, { input });
  return Object.assign(deviceOf(cluster, loginWithProvider), { user: loginWithProvider.user });
}
