-- Median weekly pay of science and technology professionals (21) and in the
-- building trades (53): each local authority next to the region
WITH local AS (
  SELECT lad_res, soc_sub_major AS soc, median(pay) AS pay
  FROM people
  WHERE combined_authority_res = 'Greater Manchester'
    AND soc_sub_major IN ('21', '53')
  GROUP BY ALL
), region AS (
  SELECT soc_sub_major AS soc, median(pay) AS pay
  FROM people
  WHERE region_res = 'North West' AND soc_sub_major IN ('21', '53')
  GROUP BY ALL
)
SELECT soc, g.local_authority_name AS area, local.pay,
       region.pay AS north_west, round(100 * local.pay / region.pay) AS percent
FROM local
JOIN region USING (soc)
JOIN geography g ON g.local_authority = local.lad_res
ORDER BY soc, area
