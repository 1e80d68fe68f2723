# pgtally as a small image: `docker build -t pgtally .`, then
# `docker run --rm -v "$PWD:/project:ro" pgtally check`. The project (pgtally.yaml, jobs/) is mounted at /project.

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
RUN ln -s /app/dist/bin.js /usr/local/bin/pgtally && chmod 755 /app/dist/bin.js
# The image's own unprivileged user.
USER node
WORKDIR /project
ENTRYPOINT ["node", "/app/dist/bin.js"]
CMD ["start"]
