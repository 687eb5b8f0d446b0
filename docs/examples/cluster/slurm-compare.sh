#!/bin/bash
# sbatch slurm-compare.sh recipe.yaml
# Trials of one comparison on several nodes. The recipe, its data and its output are in a folder that all nodes share.
# After the time limit, submit it again: finished trials are kept.
#SBATCH --job-name=skiptune-compare
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

recipe=${1:?"name a recipe: sbatch slurm-compare.sh recipe.yaml"}
source "$HOME/skiptune/bin/activate" # pip install "skiptune[ray,compare]"
export HF_HUB_OFFLINE=1 RAY_USAGE_STATS_ENABLED=0

# A port of its own, should two jobs share a node.
port=$((20000 + SLURM_JOB_ID % 20000))
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(getent hosts "$(head -n 1 <<<"$nodes")" | awk '{print $1; exit}')

# On every node: starts Ray, runs what is behind "--" on the first one, and stops Ray when that ends.
srun --ntasks-per-node=1 --kill-on-bad-exit=1 \
    ray symmetric-run --address "$head:$port" --min-nodes "$SLURM_NNODES" --num-cpus "$SLURM_CPUS_PER_TASK" -- \
    skiptune compare "$recipe" --jobs 4 --ray auto
