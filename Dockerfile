# One image for both services; the command picks which. Without one it is a gateway.
#
#   docker build -t oncegate .
#   docker run ... oncegate                                        a gateway
#   docker run ... oncegate node dist/services/ticket/main.js      the ticket service

# Name it by digest for a build that is always the same: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:...
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY shared shared
COPY services services
COPY client client
COPY playground playground
RUN npm run build

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM ${NODE_IMAGE}
WORKDIR /app
# Inside a container 127.0.0.1 would reach nobody. Publish the public port only: the admin port has no login.
ENV NODE_ENV=production HOST=0.0.0.0 ADMIN_HOST=0.0.0.0
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 8080 8081
# Alive when the admin port of the service in this container, whichever it is, answers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "const {TICKET_ADMIN_PORT:t=9080,GATEWAY_ADMIN_PORT:g=9081}=process.env;const ok=async(p)=>{if(!(await fetch(`http://127.0.0.1:${p}/livez`)).ok)throw p};Promise.any([ok(t),ok(g)]).then(()=>process.exit(0),()=>process.exit(1))"]
CMD ["node", "dist/services/gateway/main.js"]
