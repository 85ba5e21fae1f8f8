"""Reads a whole SHD file, to see whether libhdf5 survives it. Run as a program.

    python -I hdf5_check.py FILE

A damaged file can crash libhdf5 or keep it busy for ever, and then takes Python with
it; so a file is first read here, in a process of its own (see `readers.sound`).
Prints what is wrong and exits with 1 where h5py itself notices.
"""

import sys

CHUNK = 256
MEMORY = 8 * 2**30


def read(path: str) -> None:
    """Touch every column that the reader touches, in the same pieces."""
    import h5py

    with h5py.File(path, "r") as file:
        for name in ("labels", "spikes/times", "spikes/units"):
            if name not in file:
                raise ValueError(f"no data set '{name}' in it")
        length = len(file["labels"])
        if file["labels"].ndim != 1 or length > 1_000_000:
            raise ValueError(f"labels of shape {file['labels'].shape}")
        file["labels"][()]
        if "extra/speaker" in file:  # only who splits by speaker needs it
            file["extra/speaker"][()]
        for name in ("times", "units"):
            column = file["spikes"][name]
            for start in range(0, length, CHUNK):
                column[start : start + CHUNK]


def main() -> int:
    """Read every byte of the file; the exit status says whether that went well."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # no such limit on this system
    try:
        read(sys.argv[1])
    except Exception as error:  # whatever h5py raises is an answer here
        print(f"{type(error).__name__}: {str(error)[:120]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
