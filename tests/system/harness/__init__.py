# SPDX-License-Identifier: Apache-2.0
"""What system tests stand on: real processes of ours, real Kafka, the official gRPC client.

Reading order: process.py (start, wait, kill), kafka.py (the brokers), services.py (adder and
totals), client.py (the gRPC client). Ports are always free ones, waiting is always for an event,
processes are ended by pid only.
"""
