# The program alone, static, on nothing: docker build -t farwire .
# The tag moves with patches of Go. To pin it:
#   docker build --build-arg BASE=golang:1.26@sha256:… -t farwire .
ARG BASE=golang:1.26
FROM ${BASE} AS build
WORKDIR /src
COPY . .
ARG RELEASE=devel
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$RELEASE -X main.commit=$COMMIT" -o /farwire ./cmd/farwire \
 && mkdir /data

FROM scratch
# What TLS towards targets and brokers is verified by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /farwire /farwire
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV FARWIRE_LISTEN=0.0.0.0:8080 FARWIRE_DATA_DIR=/data
EXPOSE 8080
VOLUME /data
ENTRYPOINT ["/farwire"]
CMD ["serve"]
