# The README's two commands on Debian 13, for systems on which xtgrad is untried:
#   docker build -t xtgrad .      installs packages, builds, trains a small network, builds and runs all tests
#   docker run --rm -it xtgrad    a shell where all that is there, the trained network in runs/shapes-1
# The code is for the processor at hand: run the image where it was built. Docker has not run this file yet;
# tools/try-distribution trixie runs the same two commands in a fresh minimal Debian 13.
FROM debian:trixie-slim
WORKDIR /xtgrad
COPY . .
RUN tools/train
RUN tools/test
