"""Operations on a whole collection: verify, rebuild, tune its index, switch its model, watch."""
