import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

/* A page of history as it would be without GraphQL: one prepared join behind node:http. It checks nobody. */

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10 });

const PAGE = {
  name: 'page',
  text: `SELECT m.id, m.seq, m.type, m.body, m.extra_data, m.created_at, u.id AS author_id, u.first_name, u.last_name
    FROM message m LEFT JOIN app_user u ON u.id = m.author_id
    WHERE m.chat_id = $1 AND m.seq < $2 ORDER BY m.seq DESC LIMIT 51`,
};

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => (body += text));
  request.on('end', () => {
    void answer(body).then((text) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    });
  });
});

async function answer(body: string): Promise<string> {
  const { chatId, before } = JSON.parse(body);
  const { rows } = await pool.query({ ...PAGE, values: [chatId, before] });
  const hasPreviousPage = rows.length > 50;
  const nodes = rows.slice(0, 50).toReversed();
  const edges = nodes.map((row) => ({
    node: {
      id: row.id,
      seq: row.seq,
      type: row.type,
      body: row.body,
      extraData: row.extra_data,
      createdAt: row.created_at,
      author: { id: row.author_id, firstName: row.first_name, lastName: row.last_name },
    },
  }));
  return JSON.stringify({ data: { chat: { messages: { edges, pageInfo: { hasPreviousPage } } } } });
}

server.listen(0, '127.0.0.1', () => console.log(`http://localhost:${(server.address() as AddressInfo).port}`));
