# Builds with everything, runs with what is needed. The server applies its migrations at start.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY client/package.json ./client/
COPY examples/ionic-chat/package.json ./examples/ionic-chat/
# The scripts of a package are not run here: the only one that matters is our own build, below.
RUN npm ci --ignore-scripts
COPY prisma.config.ts tsconfig.json rolldown.config.ts codegen.ts schema.graphql ./
COPY prisma ./prisma
COPY src ./src
COPY client ./client
COPY examples ./examples
# The app is built into files: what it was built of stays here.
RUN npm run build && npm run build:app && npm prune --omit=dev --ignore-scripts --no-workspaces

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production
# With METRICS_PORT: a container of its own asks. Nobody else does, unless that port is published.
ENV METRICS_HOST=0.0.0.0
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/prisma/migrations ./prisma/migrations
COPY --from=build /app/examples/ionic-chat/dist ./examples/ionic-chat/dist
# Only used with PERSISTED_DOCUMENTS: what the app sends.
COPY --from=build /app/client/src/generated/persisted-documents.json ./client/src/generated/
# Only used without DATABASE_URL, by the embedded database.
RUN mkdir data && chown node:node data
USER node
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 4000) + '/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/main.js"]
