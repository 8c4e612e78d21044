import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { CSRF_HEADERS } from './edge.ts';
import { pageHeaders, setHeaders } from './security-headers.ts';

interface Page {
  html: Buffer;
  headers: Record<string, string>;
}

/** Made when somebody first opens it, and kept as the bytes that are sent: nine megabytes, once for all who read them. */
let page: Promise<Page> | undefined;

/** GraphiQL, with everything that it needs inside the page. */
export async function sendGraphiQL(response: ServerResponse): Promise<void> {
  page ??= makePage();
  const { html, headers } = await page;
  setHeaders(response, headers);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': html.length }).end(html);
}

async function makePage(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Parley',
    subscriptionsProtocol: 'SSE',
    additionalHeaders: { [CSRF_HEADERS[0]!]: '1' },
    defaultQuery: WELCOME,
  });
  return { html: Buffer.from(html), headers: pageHeaders(policyFor(html)) };
}

/** The page's one script and nothing else, by its hash. The editor makes its workers, styles and fonts itself. */
function policyFor(html: string): Record<string, string> {
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  const hash = createHash('sha256').update(script).digest('base64');
  return {
    'script-src': `'sha256-${hash}'`,
    'worker-src': 'blob:',
    'style-src': "'unsafe-inline'",
    'img-src': 'data:',
    'font-src': 'data:',
  };
}

const WELCOME = `# Welcome to Parley. Run this to sign up; the README goes on from here.
#
# For what needs a signed-in viewer, put the access token into the Headers pane below:
#   { "authorization": "Bearer <accessToken>" }

mutation SignUp {
  register(input: { email: "me@example.org", password: "violet harbour", firstName: "Mia", lastName: "Moss" }) {
    accessToken
    user {
      id
    }
  }
}
`;
