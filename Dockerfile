# Firekeeper with the Node that it brings along; nothing is built. docs/installing.md says how to run it.

# This stage's Node only runs npm.
FROM node:24-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The package `node` fetches its binary in an install script.
RUN npm ci --omit=dev --include=optional --ignore-scripts=false --no-audit --no-fund
# By this stamp bin/prepare, which every command of bin/ calls, knows that all is there.
RUN printf '%s\n' "$(uname -sm) $(cksum < package-lock.json)" > node_modules/.prepared

FROM debian:bookworm-slim
# tini, as the first process, takes in the orphans that agents' tools leave behind. bubblewrap and socat keep bots'
# commands apart, in a container that may make namespaces.
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap ca-certificates git socat tini \
  && rm -rf /var/lib/apt/lists/*
# The user and group of Campfire's own image, so that its storage can be read.
RUN groupadd --gid 1000 firekeeper \
  && useradd --uid 1000 --gid 1000 --create-home firekeeper \
  && install -d -o firekeeper -g firekeeper -m 700 /data
WORKDIR /app
COPY --from=install /app/node_modules node_modules
COPY package.json package-lock.json ./
COPY bin bin
COPY src src
COPY migrations migrations
COPY web web
COPY bots bots
# The server is all there is in the container, so it listens on every address; WEBHOOK_TOKEN is required with that.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=5000 DATA_DIR=/data
USER 1000:1000
VOLUME /data
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node_modules/.bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# -s: the same under `docker run --init`, where another init is first.
ENTRYPOINT ["tini", "-s", "--"]
CMD ["bin/node", "src/main.ts"]
