# One image for every role. The embedded ClickHouse engine is not in it: set clickhouse.url (see deploy/README.md).
#
#     docker build -t fieldline .
#
# Needs BuildKit (the default since Docker 23): downloaded crates and compiled dependencies are kept in cache mounts, so
# that a changed source file compiles what follows from it and nothing else.

ARG RUST_VERSION=1.92
ARG DEBIAN_RELEASE=bookworm

FROM rust:${RUST_VERSION}-${DEBIAN_RELEASE} AS build
WORKDIR /src
# Towards brokers with TLS or SCRAM: --build-arg FEATURES=fieldline-log/tls-vendored
ARG FEATURES=""
# .dockerignore lets through what the build reads, and no more: a changed test or page leaves this layer as it is.
COPY . .
# The target folder is a cache and no part of the layer, so the program is copied out of it.
RUN --mount=type=cache,id=fieldline-crates,sharing=locked,target=/usr/local/cargo/registry \
    --mount=type=cache,id=fieldline-target,sharing=locked,target=/src/target \
    cargo build --release --locked --package fieldline --bin fieldline --features "${FEATURES}" \
    && cp target/release/fieldline /fieldline

# The same release as above: the program links with its C library.
FROM debian:${DEBIAN_RELEASE}-slim
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="fieldline" \
      org.opencontainers.image.description="Field activity, calls and operational events from Kafka to exact KPIs in ClickHouse" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --gid 10001 fieldline \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/fieldline \
        --shell /usr/sbin/nologin fieldline
COPY --from=build /fieldline /usr/local/bin/fieldline

# With Kafka and ClickHouse elsewhere nothing is written here.
ENV FIELDLINE_DATA_DIR=/var/lib/fieldline
WORKDIR /var/lib/fieldline
USER 10001:10001
EXPOSE 9464
ENTRYPOINT ["fieldline"]
CMD ["--help"]
