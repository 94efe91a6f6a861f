"""Operations on a whole collection: verify, rebuild, tune, switch its model, watch, delete."""
