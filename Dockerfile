# The program alone, static, on nothing: docker build -t farwire .
# With a Chromium for pages that need one: docker build --build-arg VARIANT=chromium -t farwire:chromium .
# For other machines, too: docker buildx build --platform linux/amd64,linux/arm64 .
# The tags move with patches. To pin them:
#   docker build --build-arg BASE=golang:1.26@sha256:… -t farwire .
ARG BASE=golang:1.26
ARG CHROMIUM_BASE=debian:trixie-slim
ARG VARIANT=bare

FROM --platform=$BUILDPLATFORM ${BASE} AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOWORK=off
# The modules first: this layer stays until one of these files changes.
COPY go.mod go.sum ./
COPY adapters/go.mod adapters/go.sum adapters/
COPY cmd/go.mod cmd/go.sum cmd/
RUN cd cmd && go mod download
COPY . .
ARG RELEASE=devel
ARG COMMIT=unknown
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build cd cmd \
 && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$RELEASE -X main.commit=$COMMIT" -o /farwire ./farwire \
 && mkdir /data

# What the image stands on: the certificates that targets and brokers are verified by,
# and in one variant a browser.
FROM scratch AS bare
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/

FROM ${CHROMIUM_BASE} AS chromium
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates chromium-headless-shell fonts-noto-core fonts-noto-cjk \
 && rm -rf /var/lib/apt/lists/*

FROM ${VARIANT}
COPY --from=build /farwire /farwire
COPY --from=build --chown=65532:65532 /data /data
ARG RELEASE=devel
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="farwire" \
      org.opencontainers.image.description="Relays, streams and crawls through exits in many places" \
      org.opencontainers.image.source="https://github.com/farwire/farwire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$RELEASE" \
      org.opencontainers.image.revision="$COMMIT"
USER 65532:65532
ENV FARWIRE_LISTEN=:8080 FARWIRE_DATA_DIR=/data
EXPOSE 8080
VOLUME /data
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["/farwire", "health"]
ENTRYPOINT ["/farwire"]
CMD ["serve"]
