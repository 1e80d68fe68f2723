# pgtally as a small image: `docker build -t pgtally .`, then
# `docker run --rm --read-only -v "$PWD:/project:ro" pgtally check`. The project (pgtally.yaml, jobs/) is mounted at /project.
# It writes nothing: run it with a read-only root and without capabilities.
#
# The status page listens where `status.listen` of the project says, which is the container's own loopback address unless it
# is set: `listen: 0.0.0.0:8087` with a token lets it be published. The health check works with either.

FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-slim
ENV NODE_ENV=production
COPY --from=build /app/package.json /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
COPY schema /app/schema
RUN ln -s /app/dist/bin.js /usr/local/bin/pgtally
# The image's own unprivileged user, `node`, by its number: Kubernetes' runAsNonRoot does not look names up.
USER 1000:1000
WORKDIR /project
EXPOSE 8087
# Whether the daemon answers; whether its work succeeds is /health's to say. Without curl, which the image does not have.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:8087/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/bin.js"]
CMD ["start"]
