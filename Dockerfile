# The endpoint register as an image.
#
#   docker build -t endpoint-register .
#   docker run -p 127.0.0.1:8080:8080 -p 127.0.0.1:8081:8081 -v epr-data:/data endpoint-register
#
# Inside a container the service must listen on all interfaces (SERVER_HOST below). While authentication is off, whoever
# reaches the published port may read and change everything, and the service says so at start: publish it to 127.0.0.1,
# as above, or put it behind something that authenticates. The data is in ./data by default, which is /data here. Variables
# come before a configuration file: one is set here only where no file is to decide, and storage.url is not among them.
# A stop may take service.graceful-shutdown (30 s): docker stop --time 35.

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts
# The package has the server for every platform and Node, 5 MB each: only this one's is wanted.
RUN find node_modules/uWebSockets.js -name '*.node' \
  ! -name "uws_$(node -p 'process.platform + "_" + process.arch + "_" + process.versions.modules').node" -delete

FROM node:20-bookworm-slim
ENV NODE_ENV=production \
    SERVER_HOST=0.0.0.0
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=build --chown=root:root /app/package.json ./package.json
COPY --from=build --chown=root:root /app/node_modules ./node_modules
COPY --from=build --chown=root:root /app/build ./build
COPY --chown=root:root examples ./examples
WORKDIR /
USER node
VOLUME /data
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.MANAGEMENT_PORT ?? 8081) + '/health/ready').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "/app/build/src/main.js"]
CMD ["serve"]
