#!/bin/sh
# Packages must not start services in a build (as in the official image).
exit 101
