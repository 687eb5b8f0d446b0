#!/bin/bash
# sbatch slurm-train.sh recipe.yaml
# One training on several nodes, by torchrun, without Ray. Recipe, data and output are in a folder that all nodes share.
# After the time limit, submit it again: the training goes on from its last checkpoint.
#SBATCH --job-name=skiptune-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

recipe=${1:?"name a recipe: sbatch slurm-train.sh recipe.yaml"}
source "$HOME/skiptune/bin/activate" # pip install skiptune
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=$((SLURM_CPUS_PER_TASK / SLURM_GPUS_ON_NODE))

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))

# The same with accelerate, in the place of torchrun and its options:
#   accelerate launch --num_machines "$SLURM_NNODES" --num_processes $((SLURM_NNODES * SLURM_GPUS_ON_NODE)) \
#       --machine_rank "$SLURM_NODEID" --main_process_ip "$head" --main_process_port "$port" -m skiptune run "$recipe"
srun --ntasks-per-node=1 --kill-on-bad-exit=1 \
    torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_GPUS_ON_NODE" \
    --rdzv-backend c10d --rdzv-endpoint "$head:$port" --rdzv-id "$SLURM_JOB_ID" \
    -m skiptune run "$recipe"
