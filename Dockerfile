# syntax=docker/dockerfile:1
# The images, for those who build with a container engine:
#
#   docker buildx build --target baton-perplexity --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 \
#     --build-arg COMMIT=$(git rev-parse HEAD) --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
#
# "release build" makes the same without one, and the file system here comes from the same
# program; a test holds the rest against it. GO_IMAGE is pinned by version; give it with
# @sha256:... to pin its bytes, too.
ARG GO_IMAGE=golang:1.26.8-bookworm

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS source
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
ARG SOURCE_DATE_EPOCH=1
ARG TARGETARCH
WORKDIR /src
COPY . .
ENV ROOTFS="go run -C release . rootfs -platform linux/${TARGETARCH} -version ${VERSION} -commit ${COMMIT} -epoch ${SOURCE_DATE_EPOCH} -out /rootfs"

FROM source AS build-percipio
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    ${ROOTFS} -program baton-percipio && mkdir /state && mv /rootfs/data /state/

FROM scratch AS baton-percipio
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
COPY --from=build-percipio --chown=0:0 /rootfs/ /
COPY --from=build-percipio --chown=65532:0 /state/ /
LABEL org.opencontainers.image.title=baton-percipio \
      org.opencontainers.image.description="A Baton connector" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT} \
      org.opencontainers.image.licenses=Apache-2.0
ENV BATON_C1Z_TEMP_DIR=/data BATON_HEALTH_CHECK=true
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8081/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m --retries=3 CMD ["/baton-percipio", "health-check"]
ENTRYPOINT ["/baton-percipio"]

FROM source AS build-perplexity
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    ${ROOTFS} -program baton-perplexity && mkdir /state && mv /rootfs/data /state/

FROM scratch AS baton-perplexity
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
COPY --from=build-perplexity --chown=0:0 /rootfs/ /
COPY --from=build-perplexity --chown=65532:0 /state/ /
LABEL org.opencontainers.image.title=baton-perplexity \
      org.opencontainers.image.description="A Baton connector" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT} \
      org.opencontainers.image.licenses=Apache-2.0
ENV BATON_C1Z_TEMP_DIR=/data BATON_HEALTH_CHECK=true
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8081/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m --retries=3 CMD ["/baton-perplexity", "health-check"]
ENTRYPOINT ["/baton-perplexity"]

FROM source AS build-console
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    ${ROOTFS} -program baton-console && mkdir /state && mv /rootfs/data /state/

FROM scratch AS baton-console
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
COPY --from=build-console --chown=0:0 /rootfs/ /
COPY --from=build-console --chown=65532:0 /state/ /
LABEL org.opencontainers.image.title=baton-console \
      org.opencontainers.image.description="The console of Baton" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${COMMIT} \
      org.opencontainers.image.licenses=Apache-2.0
ENV BATON_CONSOLE_DATA=/data BATON_CONSOLE_LISTEN=:8443
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8443/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m --retries=3 CMD ["/baton-console", "health-check"]
ENTRYPOINT ["/baton-console"]
