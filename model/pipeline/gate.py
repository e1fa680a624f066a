"""The former name of `pipeline.fit_mixture`, for notes and scripts that still call it."""

from .fit_mixture import main

if __name__ == "__main__":
    main()
